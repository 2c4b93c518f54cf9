"""Frequent mistakes in recurrent nets, planted in a copy of the code: the gradient check finds each."""

import sys
import types
from importlib import import_module
from pathlib import Path

import pytest

from scratchgen.gradcheck import recurrent_cases
from scratchgen.gradcheck.cases import LayerCase

FILES = ("recurrent", "lstm", "gru")

# what is wrong, the file, the correct code, the planted code, and the cases that must fail
MISTAKES = {
    "carry of c is lost": ("lstm", "dc_before = dc * f ", "dc_before = 0 * f ", ["LSTM"]),
    "carry of c goes through the wrong gate": ("lstm", "dc_before = dc * f ", "dc_before = dc * i ", ["LSTM"]),
    "order of the gates": ("lstm", "i, f, g, o = np.split(gates, 4", "i, g, f, o = np.split(gates, 4", ["LSTM"]),
    "slope of tanh at c, not at tanh(c)": (
        "lstm", "tanh_backward(dh * o, tanh_c)", "tanh_backward(dh * o, c)", ["LSTM"]
    ),
    "dc of the later steps is not added": (
        "lstm", "dc = dc + tanh_backward(", "dc = tanh_backward(", ["LSTM"]
    ),
    "the forget gate is given the new c": (
        "lstm", "dc * g, dc * c, dc * i", "dc * g, dc * (f * c + i * g), dc * i", ["LSTM"]
    ),
    "slope of a gate is missing": ("lstm", "sigmoid_backward(do, o)", "do", ["LSTM"]),
    "z and 1 − z": ("gru", "dh * (1 - z), dh * (h - n)", "dh * z, dh * (h - n)", ["GRU"]),
    "sign of dz": ("gru", "dh * (h - n)", "dh * (n - h)", ["GRU"]),
    "reset gate is missing on the way back": ("gru", "da_n * v, da_n * r", "da_n * v, da_n", ["GRU"]),
    "direct way of h is lost": ("gru", "dh_before = dh * z ", "dh_before = 0 * z ", ["GRU"]),
    "dh of the next step is not added": (
        "recurrent", "ds[0] + du @ self.recurrent_weight.value.T", "ds[0]", ["RNN", "LSTM", "GRU"]
    ),
    "U is not transposed": (
        "recurrent", "self.recurrent_weight.value.T", "self.recurrent_weight.value.reshape(du.shape[1], -1)",
        ["RNN", "LSTM", "GRU"],
    ),
    "dU with h_t, not with h_(t−1)": (
        "recurrent", "cache.states[:-1]", "cache.states[1:]", ["RNN", "LSTM", "GRU"]
    ),
    "dout of padded steps is used": (
        "recurrent", "(dh_out,) = where(mask,", "(dh_out,) = where(None,", ["RNN", "LSTM", "GRU"]
    ),
    "the gradient does not skip padded steps": (
        "recurrent", "ds = tuple(d + s for", "ds = tuple(d for", ["RNN", "LSTM", "GRU"]
    ),
    "padded steps are not masked on the way back": (
        "recurrent", "inside, skipped = where(mask, ds, zeros)", "inside, skipped = ds",
        ["RNN", "LSTM", "GRU"],
    ),
}  # fmt: skip
NEEDS_A_MASK = ("pad", "skip")


def cells(monkeypatch, name="", right="", wrong=""):
    """The classes RNN, LSTM and GRU from a copy of the code in which `right` is replaced by `wrong`.

    The copy has no compiled twins, so the changed lines run.
    """
    found = {}
    for file in FILES:
        module = import_module(f"scratchgen.layers.{file}")
        source = Path(module.__file__).read_text(encoding="utf-8").replace("@compiled\n", "")
        if file == name:
            assert source.count(right) == 1, right
            source = source.replace(right, wrong)
        copy = types.ModuleType(module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, copy)
        exec(compile(source, module.__file__, "exec"), vars(copy))
        found |= vars(copy)
    return [found[cell] for cell in ("RNN", "LSTM", "GRU")]


def failing(cell) -> dict[str, bool]:
    """Whether each gradient case of a class has a failure."""
    cases: list[LayerCase] = recurrent_cases.cases_of(cell)
    return {case.name: any(not r.ok for r in case.run()) for case in cases}


def test_copy_without_a_mistake_passes(monkeypatch):
    for cell in cells(monkeypatch):
        assert not any(failing(cell).values())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_found(mistake, monkeypatch):
    file, right, wrong, names = MISTAKES[mistake]
    for cell in cells(monkeypatch, file, right, wrong):
        found = failing(cell)
        if cell.__name__ in names:
            masked = {name: failed for name, failed in found.items() if "lengths" in name}
            assert all(masked.values()), found
            if not any(word in mistake for word in NEEDS_A_MASK):
                assert found[f"{cell.__name__} with states"], found
        else:
            assert not any(found.values()), found
