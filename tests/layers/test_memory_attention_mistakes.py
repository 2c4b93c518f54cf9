"""Frequent mistakes in attention to another sequence, planted in a copy of the code: the check finds each."""

import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.gradcheck import check_layer
from scratchgen.gradcheck.memory_cases import WithMemory

FILES = {"CrossAttention": "cross_attention", "AdditiveAttention": "additive_attention"}

# For each mistake: the class that is checked, the correct code in its file, and the planted code.
MISTAKES = {
    "the gradients of k and v are swapped": ("CrossAttention", "np.stack([dk, dv])", "np.stack([dv, dk])"),
    "the scale is missing on the way back": (
        "CrossAttention", "scale = q.shape[3] ** -0.5\n    dq", "scale = 1.0\n    dq"
    ),
    "p is not transposed": ("CrossAttention", "p.swapaxes(2, 3) @ dy", "p @ dy"),
    "dscores is not transposed": ("CrossAttention", "dscores.swapaxes(2, 3) @ q", "dscores @ q"),
    "softmax without the sum": ("CrossAttention", "dp - (p * dp).sum(axis=-1, keepdims=True)", "dp"),
    "the memory is treated as a constant": ("CrossAttention", "return dx, dmemory", "return dx, 0 * memory"),
    "the gradient of the query goes through k": ("CrossAttention", "dscores @ k)", "dscores @ v)"),
    "the memory has one gradient instead of two": (
        "AdditiveAttention", "p.swapaxes(1, 2) @ dout + dmemory", "dmemory"
    ),
    "only the averaged memory has a gradient": ("AdditiveAttention", "@ dout + dmemory", "@ dout"),
    "the slope of tanh is missing": ("AdditiveAttention", "(self.weight.value * (1 - z**2))",
                                     "(self.weight.value * (1 - 0 * z))"),
    "the gradient of w with the raw scores": ("AdditiveAttention", "dscores.reshape(-1) @ rows(z)",
                                              "dp.reshape(-1) @ rows(z)"),
    "da and du are swapped": ("AdditiveAttention", "dsum.sum(axis=2), dsum.sum(axis=1)",
                              "dsum.sum(axis=1), dsum.sum(axis=2)"),
}  # fmt: skip


def copied(monkeypatch, cls, right="", wrong=""):
    """The class from a copy of its file in which `right` is replaced by `wrong`."""
    module = import_module(f"scratchgen.layers.{FILES[cls]}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert not right or source.count(right) == 1, "the correct code must occur once"
    copy = types.ModuleType(module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, copy)
    exec(compile(source.replace(right, wrong) if right else source, module.__file__, "exec"), vars(copy))
    return vars(copy)[cls]


def passes(cls):
    """Whether the gradients are right. There are as many queries as positions, so that all shapes fit."""
    rng = np.random.default_rng(3)
    sizes = (4, 2) if cls.__name__ == "CrossAttention" else (4, 4, 3)
    layer = cls(*sizes, rng=rng, dtype=np.float64)
    for p in layer.parameters().values():
        p.value += 0.5 * rng.standard_normal(p.shape)
    x = rng.standard_normal((2, 3 * 4 + 3 * 4))
    with kernels.use("reference"):          # the twins are not in the copy
        return all(r.ok for r in check_layer(WithMemory(layer, 3, 3, [3, 2]), x, rng=rng))


@pytest.mark.parametrize("cls", FILES)
def test_copy_without_a_mistake_passes(cls, monkeypatch):
    assert passes(copied(monkeypatch, cls))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_found(mistake, monkeypatch):
    assert not passes(copied(monkeypatch, *MISTAKES[mistake]))
