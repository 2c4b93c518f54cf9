"""Test which balance of a GAN's players converges: D's steps, its learning rate, its head start.

All runs make the same total number of updates of the two networks, so more steps of D mean fewer of G.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from scratchgen.data import GaussianMixture1D
from scratchgen.studies.experiments.gan_on_a_line import Grid, adam, tanh_game

DATA = GaussianMixture1D((0.6, 0.4), (1.5, 2.9), (0.5, 0.45))
GRID = Grid(DATA, -4, 8, 280, 800)
BETWEEN = 2.25              # the boundary of the two modes
BATCH = 64
LR = 1e-3                   # of the generator
STEPS = (1, 2, 5)
RATIOS = (0.2, 1.0, 5.0)    # D's learning rate over G's
AHEAD = 200                 # updates of D before the first of G, where it has a head start
MEASURED = 10               # number of measurements in the last quarter of a run


class Setting(NamedTuple):
    """How the players are balanced."""

    ahead: int      # updates of D before the first of G
    k: int          # updates of D for each of G
    ratio: float    # D's learning rate over G's


class End(NamedTuple):
    """The end of a run."""

    jsd: float
    course: list[float]     # JSD through the last quarter
    left: float             # share of the generated numbers in the left mode, which has 0.6 of the data
    d_fake: float           # mean of D(G(z))
    q: np.ndarray           # density of the generated numbers, for each bin

    @property
    def verdict(self) -> str:
        """How the run ended: one of five results, which the docstring of the demo defines."""
        if self.jsd < 0.03 and max(self.course) < 0.06:
            return "converged"
        if not 0.12 < self.left < 0.92:
            return "one mode"
        if self.d_fake < 0.1:
            return "D has won"
        return "oscillates" if min(self.course) < 0.06 else "far away"


SETTINGS = [Setting(0, k, ratio) for k in STEPS for ratio in RATIOS]
SETTINGS += [Setting(AHEAD, 1, ratio) for ratio in RATIOS]
GROUPS = {
    "k = 1, no head start": [s for s in SETTINGS if (s.ahead, s.k) == (0, 1)],
    f"k = 1, D {AHEAD} ahead": [s for s in SETTINGS if s.ahead],
    **{f"k = {k}": [s for s in SETTINGS if (s.ahead, s.k) == (0, k)] for k in STEPS},
    **{f"ratio = {ratio:g}": [s for s in SETTINGS if (s.ahead, s.ratio) == (0, ratio)] for ratio in RATIOS},
}


def train(setting: Setting, updates: int, seed: int) -> End:
    """Make `updates` updates, counting those of both networks, after D's head start."""
    rng = np.random.default_rng(seed)
    model = tanh_game(rng, hidden=16, k=setting.k, ahead=setting.ahead)
    optimizers = adam(model, LR, setting.ratio * LR)
    rounds = updates // (setting.k + 1)
    alone = -(-setting.ahead // setting.k)                      # rounds without an update of G
    measured = alone + np.linspace(0.75 * rounds, rounds, MEASURED).astype(int)
    course = []
    for number in range(1, alone + rounds + 1):
        x = DATA.sample(setting.k * BATCH, rng=rng).astype(np.float32)
        model.train_step((x,), optimizers, rng)
        if number in measured:
            course.append(GRID.jensen_shannon(GRID.density(model)))
    q = GRID.density(model)
    d = model.predict_real(GRID.x[:, None].astype(np.float32))
    left, d_fake = GRID.mean(q, GRID.x < BETWEEN), GRID.mean(q, d)
    return End(GRID.jensen_shannon(q), course, left, d_fake, q)


def summary(ends: list[End]) -> dict[str, float | str]:
    """JSD of several runs and how they ended."""
    verdicts = Counter(end.verdict for end in ends)
    return {
        "JSD: mean": float(np.mean([end.jsd for end in ends])),
        "worst": max(end.jsd for end in ends),
        "D(G(z))": float(np.mean([end.d_fake for end in ends])),
        "ends": ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()),
    }
