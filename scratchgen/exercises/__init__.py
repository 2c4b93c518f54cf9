"""Exercises: the library's code with blanks at the numbered equations of the backward pass.

An exercise's file is made from the source of the real layer (blanks.py), and the explaining checker checks it
(check.py). The lists are ordered by what they need; docs/exercises.md has the whole table.
"""

from __future__ import annotations

from scratchgen.exercises.spec import Blank, Exercise, blank

__all__ = ["Blank", "Exercise", "blank"]
