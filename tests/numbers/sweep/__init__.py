"""The sweep: every numerical function, on numbers of every size, compared with 60-digit arithmetic.

`oracle` computes with 60 digits, `inputs` contains the numbers, `measure` compares, and `bounds` defines how
large an error may be. The other modules have one entry for each function, and `entries.ENTRIES` contains all
of them.
"""
