"""Gradients shrink or grow with the spectral radius.

A recurrent net multiplies the gradient by the same matrix at every step back in time. The demo gives the last
state a random gradient and measures how long it is k steps earlier. U is orthogonal times a gain, so all its
eigenvalues have that size, its spectral radius.

Without input, the state of a tanh net stays 0, where tanh has slope 1. The net is then linear, and the length
is exactly radius^k: the table compares both. With input, the slopes are below 1, so the gradient becomes
shorter than that. In an LSTM, the forget gate decides instead: compare the rows of the biases 0 and 1.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.initializers import orthogonal
from scratchgen.layers import LSTM, RNN
from scratchgen.layers.recurrent import Recurrent

from ..common import print_table, run, save, tidy

RADII = (0.5, 0.9, 1.0, 1.1, 1.5)
BIASES = (0.0, 1.0, 3.0)
FORM = dict.fromkeys(("radius^k", "without input", "with input", "sigmoid(bias)^k", "LSTM"), ".2e")


def main(
    out: Path, *, steps: int = 50, hidden: int = 64, sequences: int = 32, seed: int = 0
) -> dict[str, Any]:
    """Measure the length of the gradient `steps` steps back, for several radii and forget biases."""
    kind: dict[str, Any] = {"rng": seed, "dtype": np.float64}
    x = np.random.default_rng(seed).standard_normal((sequences, steps, 8))
    curves: dict[str, dict[str, np.ndarray]] = {"linear": {}, "tanh": {}, "lstm": {}}
    table = {}
    for radius in RADII:
        net = RNN(8, hidden, recurrent_init=partial(orthogonal, gain=radius), **kind)
        name = f"radius {radius:g}"
        curves["linear"][name] = np.array(list(lengths(net, np.zeros_like(x), seed)))
        curves["tanh"][name] = np.array(list(lengths(net, x, seed)))
        table[name] = {
            "radius^k": radius**steps,
            "without input": curves["linear"][name][-1],
            "with input": curves["tanh"][name][-1],
        }
    print_table(table, f"Length of the gradient {steps} steps back, per length of the last one", FORM)
    memory = {}
    for bias in BIASES:
        name = f"forget bias {bias:g}"
        curves["lstm"][name] = np.array(list(lengths(LSTM(8, hidden, forget_bias=bias, **kind), x, seed)))
        memory[name] = {
            "sigmoid(bias)^k": float((1 + np.exp(-bias)) ** -steps),
            "LSTM": curves["lstm"][name][-1],
        }
    print_table(memory, f"The same for an LSTM, {steps} steps back", FORM)
    error = max(
        float(np.abs(curves["linear"][f"radius {r:g}"] / r ** np.arange(steps + 1) - 1).max()) for r in RADII
    )
    print(f"\nWithout input, radius^k is right to a relative error of {error:.0e}.")
    picture = save(draw(curves, steps), out / "gradients_in_time.png")
    return {"table": table, "memory": memory, "error": error, "figure": picture}


def lengths(layer: Recurrent, x: np.ndarray, seed: int) -> Iterator[float]:
    """The length of the gradient 0, 1, 2, … steps before the end, if that of the last state has length 1.

    The mean over the sequences of x. Each step is a call of forward, so backward gives each state's gradient.
    """
    state, caches = None, []
    for t in range(x.shape[1]):
        _, cache = layer.forward(x[:, t : t + 1], state=state)
        state = cache.state
        caches.append(cache)
    pair = len(layer.state_names) > 1
    g = np.random.default_rng(seed + 1).standard_normal((len(x), layer.hidden))
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    dstate: Any = (np.zeros_like(g), g) if pair else g      # of an LSTM, the gradient of c
    for cache in (None, *reversed(caches)):
        if cache is not None:
            _, dstate = layer.backward_with_state(np.zeros((len(x), 1, layer.hidden)), dstate, cache)
        joined = np.concatenate(dstate, axis=1) if pair else dstate
        yield float(np.linalg.norm(joined, axis=1).mean())


def draw(curves: dict[str, dict[str, np.ndarray]], steps: int) -> Figure:
    """Plot the length against the distance in time, on a logarithmic axis."""
    figure = plots.new_figure(4.6, title="The radius of U decides in an RNN, the forget gate in an LSTM")
    titles = ("RNN without input; dots: radius^k", "RNN with input", "LSTM with input")
    panels = figure.subplots(1, 3, sharey=True)
    for ax, title, found in zip(panels, titles, curves.values(), strict=True):
        for (colour, _), (name, y) in zip(plots.LINES, found.items(), strict=False):
            ax.semilogy(y, color=colour, label=name)
        tidy(ax, title, "steps back in time, k")
        ax.axhline(1, color=plots.GREY, linewidth=1, linestyle=":")
        ax.set(xlim=(0, steps), ylim=(1e-12, 1e16))
        ax.legend(frameon=False, fontsize=8.5, loc="upper left", ncols=2 if len(found) > 3 else 1)
    for k in (0, 4):    # the closed form, as dots
        panels[0].semilogy(np.arange(0, steps + 1, 5), RADII[k] ** np.arange(0.0, steps + 1, 5), "k.", ms=4)
    panels[0].set_ylabel("length of the gradient")
    return figure


if __name__ == "__main__":
    run(main)
