"""Save models and runs to files: values as JSON and arrays, names of classes, and the file itself.

    values.py       a value -> JSON and arrays, and back
    generators.py   the states of random generators
    names.py        the names of the classes and functions that a file may contain
    container.py    a safetensors file with a checksum
    differences.py  what differs between a model and a file

`scratchgen.save` and `scratchgen.load` (training/model_files.py) use these modules.
"""
