"""Demos of speed: where the time of a matrix product goes."""
