"""What the page runs in the browser: checks of a layer, and the training of a flow on points in the plane.

It needs scratchgen and NumPy only. The page calls `check_text`, and `start` and `Training.advance`.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.cli import own_code
from scratchgen.data import checkerboard, eight_gaussians, pinwheel, two_moons, two_spirals
from scratchgen.layers import Layer
from scratchgen.models import RealNVP
from scratchgen.optim import Adam

FILE = Path("layer.py")
DENSITIES = {
    "moons": two_moons, "spirals": two_spirals, "gaussians": eight_gaussians, "pinwheel": pinwheel,
    "checkerboard": checkerboard,
}  # fmt: skip
GRID = 44       # the density is drawn at GRID x GRID points
SHOWN = 400     # generated points


def check_text(code: str, width: int = 80) -> dict[str, Any]:
    """Check every layer class in a text: {ok, text}, with the report of `scratchgen gradcheck`."""
    FILE.write_text(code, encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            passed = [own_code.check(f"{FILE}:{name}", None, width, None) for name in _names()]
            ok = all(code == own_code.PASSED for code in passed)
        except own_code.Refused as error:
            ok = bool(print(error))
        except BaseException as error:      # whatever the code of the reader raises
            ok = bool(print(own_code.where(error, FILE)))
    return {"ok": ok, "text": printed.getvalue()}


def _names() -> list[str]:
    """The names of the layers that the file defines, in its order."""
    sys.modules.pop(FILE.stem, None)
    module = own_code.load(FILE)
    names = [
        name
        for name, thing in vars(module).items()
        if isinstance(thing, type) and issubclass(thing, Layer) and thing.__module__ == FILE.stem
    ]
    sys.modules.pop(FILE.stem, None)
    if not names:
        raise own_code.Refused("found no layer: define a class with scratchgen.Layer as its base")
    return names


class Training:
    """A RealNVP that is trained on points of a known density, a few steps at a time."""

    def __init__(self, density: str, couplings: int, width: int, seed: int):
        self.density = DENSITIES[density]()
        self.rng = np.random.default_rng(seed)
        data = self.density.sample(2000, rng=self.rng)
        self.best = -float(self.density.log_density(data).mean())       # nats; no model can do better
        self.mean, self.std = data.mean(axis=0), data.std(axis=0)
        self.data = ((data - self.mean) / self.std).astype(np.float32)
        self.model = RealNVP.dense(2, (width, width), couplings=couplings, rng=self.rng)
        self.optimizer = Adam(self.model.parameters(), lr=2e-3)
        self.steps = 0

    def advance(self, steps: int, lr: float, batch: int = 128) -> list[float]:
        """Make some steps of Adam; return the losses, in nats per point of the data."""
        losses = []
        self.optimizer.lr = lr
        for _ in range(steps):
            x = self.data[self.rng.integers(0, len(self.data), batch)]
            self.model.zero_grad()
            loss, cache = self.model.loss(x, training=True)
            self.model.backward(cache)
            self.optimizer.step()
            losses.append(loss + float(np.log(self.std).sum()))     # the density of the data, not scaled
        self.steps += steps
        return losses

    def picture(self) -> dict[str, Any]:
        """The density of the model on a grid, data and generated points; all in the unit square."""
        axis = np.linspace(-2.4, 2.4, GRID, dtype=np.float32)
        points = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
        log_density = self.model.score_samples(points)
        density = np.exp(log_density - log_density.max())
        samples = self.model.sample(SHOWN, rng=self.rng)
        return {
            "grid": GRID, "density": density.astype(np.float32), "samples": self._placed(samples),
            "data": self._placed(self.data[:SHOWN]), "best": self.best, "steps": self.steps,
        }  # fmt: skip

    @staticmethod
    def _placed(points: np.ndarray) -> np.ndarray:
        return ((points + 2.4) / 4.8).astype(np.float32).ravel()


def start(density: str, couplings: int, width: int, seed: int) -> Training:
    """A new training."""
    return Training(density, couplings, width, seed)
