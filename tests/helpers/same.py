"""A strict comparison: types, numbers to the last bit, the order of dicts."""

from collections import deque

import numpy as np

from scratchgen import Parameter
from scratchgen.saving.values import memory_layout


def expect_same(a, b, place="value"):
    """Raise AssertionError, with the place, unless two values and all that they consist of are equal."""
    assert type(a) is type(b) or "LeftOut" in type(b).__name__, place
    if isinstance(a, np.ndarray | np.generic):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), place
        assert isinstance(a, np.generic) or memory_layout(a) == memory_layout(b), place
    elif isinstance(a, Parameter):
        expect_same(a.value, b.value, place)
    elif isinstance(a, np.random.Generator):
        assert str(a.bit_generator.state) == str(b.bit_generator.state), place
    elif isinstance(a, dict):
        assert len(a) == len(b), place
        for (key, entry), (other_key, other) in zip(a.items(), b.items(), strict=True):
            expect_same(key, other_key, f"{place}: a key")
            expect_same(entry, other, f"{place}.{key}")
    elif isinstance(a, list | tuple | deque):
        assert len(a) == len(b) and getattr(a, "maxlen", 0) == getattr(b, "maxlen", 0), place
        for i, entries in enumerate(zip(a, b, strict=True)):
            expect_same(*entries, f"{place}.{i}")
    elif isinstance(a, set | frozenset):
        expect_same(sorted(a, key=repr), sorted(b, key=repr), place)
    elif isinstance(a, float | complex):
        assert repr(a) == repr(b), place
    elif hasattr(a, "__dict__") and not isinstance(a, type) and not callable(a):
        expect_same(vars(a), vars(b), place)
    elif not callable(a):
        assert a == b, place
