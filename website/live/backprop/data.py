"""The data of the page: the programs, taken from the library's readable functions."""

from website.backprop.programs import data

__all__ = ["data"]
