"""The states of random generators as JSON, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

# The largest buffer position of each bit generator. NumPy does not check the position.
BIT_GENERATORS: dict[str, dict[str, int]] = {
    "PCG64": {}, "PCG64DXSM": {}, "SFC64": {}, "MT19937": {"pos": 624}, "Philox": {"buffer_pos": 4},
}


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a generator as JSON. Arrays in the state become lists.

    Raises ValueError for a bit generator that is not NumPy's.
    """
    state = generator.bit_generator.state
    if state.get("bit_generator") not in BIT_GENERATORS:
        raise ValueError(f"a generator of type {type(generator.bit_generator).__name__}")
    found: dict[str, Any] = _without_arrays(state)
    return found


def as_generator(state: Any) -> np.random.Generator:
    """A generator with the given state. Raises ValueError for an unknown kind or an impossible state."""
    if not isinstance(state, dict) or state.get("bit_generator") not in BIT_GENERATORS:
        raise ValueError("expected the state of a random generator of NumPy")
    for key, largest in BIT_GENERATORS[state["bit_generator"]].items():
        position = state.get(key, state["state"].get(key) if isinstance(state["state"], dict) else None)
        if not isinstance(position, int) or not 0 <= position <= largest:
            raise ValueError(f"expected the {key} of a random generator in 0..{largest}, got {position!r}")
    bits = getattr(np.random, state["bit_generator"])(0)
    bits.state = state
    return np.random.Generator(bits)


def _without_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(entry) for key, entry in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
