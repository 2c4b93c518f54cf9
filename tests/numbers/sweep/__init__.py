"""The sweep: every function of numbers, on numbers of every size, against 60 digits.

`oracle` computes with 60 digits, `inputs` has the numbers, `measure` compares, `bounds` says how large an
error may be, and the other modules have one entry for each function. `entries.ENTRIES` has all of them.
"""
