"""Frequent mistakes in recurrent nets, planted in a copy of the code: the gradient check finds each."""

import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from scratchgen.gradcheck import check_layer
from scratchgen.gradcheck.recurrent_cases import WithStates

FILES = {"RNN": ["recurrent"], "LSTM": ["recurrent", "lstm"], "GRU": ["recurrent", "gru"]}

# For each mistake: the class that is checked, the correct code in its last file, or in the first one if it is
# there, and the planted code.
MISTAKES = {
    "the carry of c is lost": ("LSTM", "dc_before = dc * f ", "dc_before = 0 * f "),
    "the carry of c goes through the wrong gate": ("LSTM", "dc_before = dc * f ", "dc_before = dc * i "),
    "order of the gates": ("LSTM", "i, f, g, o = np.split(gates, 4, axis=1)\n    do",
                           "i, g, f, o = np.split(gates, 4, axis=1)\n    do"),
    "slope of tanh at c": ("LSTM", "tanh_backward(dh * o, tanh_c)", "tanh_backward(dh * o, c)"),
    "dc of the next step is not added": ("LSTM", "dc = dc + tanh_backward(", "dc = tanh_backward("),
    "the forget gate is given the new c": ("LSTM", "dc * c, dc * i", "dc * (f * c + i * g), dc * i"),
    "the slope of a gate is missing": ("LSTM", "sigmoid_backward(do, o)", "do"),
    "z in place of 1 − z": ("GRU", "dn, dz = dh * (1 - z)", "dn, dz = dh * z"),
    "the sign of dz": ("GRU", "dh * (h - n)", "dh * (n - h)"),
    "the reset gate is missing": ("GRU", "da_n * v, da_n * r", "da_n * v, da_n"),
    "the direct way of h is lost": ("GRU", "dh_before = dh * z ", "dh_before = 0 * z "),
    "dh of the next step is not added": ("RNN", " + affine_input_grad(du, weight)", ""),
    "dh of the next step is not added, LSTM": ("LSTM", " + affine_input_grad(du, weight)", ""),
    "U is not transposed": ("RNN", "affine_input_grad(du, weight", "affine(du, weight"),
    "dU with h_t in place of h_(t−1)": ("GRU", "cache.states[0][:-1]", "cache.states[0][1:]"),
    "dout of padded steps is used": ("RNN", "= where(mask, (dout[t],)", "= where(None, (dout[t],)"),
    "the gradient does not pass padded steps": ("GRU", "tuple(d + s for", "tuple(d for"),
    "the mask is forgotten": ("LSTM", "inside, skipped = where(mask, ds, zeros)", "inside, skipped = ds"),
}  # fmt: skip


def copied(monkeypatch, cell, right="", wrong=""):
    """The class from a copy of the code in which `right` is replaced by `wrong`, without compiled twins."""
    found, replaced = {}, 0
    for file in FILES[cell]:
        module = import_module(f"scratchgen.layers.{file}")
        source = Path(module.__file__).read_text(encoding="utf-8").replace("@compiled\n", "")
        replaced += source.count(right) if right else 0
        copy = types.ModuleType(module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, copy)
        exec(compile(source.replace(right, wrong) if right else source, module.__file__, "exec"), vars(copy))
        found |= vars(copy)
    assert replaced == bool(right), "the correct code must occur once"
    return found[cell]


def passes(cell):
    """Whether the gradients are right, with random gradients of the final states and two lengths."""
    rng = np.random.default_rng(3)
    layer = cell(1, 2 if cell.gates == 1 else 1, rng=rng, dtype=np.float64)
    for p in layer.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x = rng.standard_normal((2, 3 + layer.hidden * len(cell.state_names)))
    return all(r.ok for r in check_layer(WithStates(layer, 3, [3, 1]), x, rng=rng))


@pytest.mark.parametrize("cell", FILES)
def test_copy_without_a_mistake_passes(cell, monkeypatch):
    assert passes(copied(monkeypatch, cell))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_found(mistake, monkeypatch):
    assert not passes(copied(monkeypatch, *MISTAKES[mistake]))
