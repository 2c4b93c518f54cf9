"""Experiments that demos draw and print: functions that take settings and return numbers, no output of their own."""
