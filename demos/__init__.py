"""One short script per claim, in a folder for each family of models.

ORDER in a folder is the reading order of its demos. `scratchgen demo --list` prints the demos in this order,
and `scratchgen demo NAME` runs one of them.
"""
