"""Experiments behind the demos: functions that take settings, return numbers and print nothing."""
