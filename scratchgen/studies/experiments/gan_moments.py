"""Record a GAN on a line at four moments of its training, with the best discriminator at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen.data import GaussianMixture1D
from scratchgen.models import GAN
from scratchgen.studies.experiments.gan_on_a_line import Grid, adam, tanh_game
from scratchgen.training.schedules import Cosine

DATA = GaussianMixture1D((0.6, 0.4), (1.5, 2.9), (0.5, 0.45))
GRID = Grid(DATA, -3, 6, 600, 2000)
FIRST, AHEAD, CLIMB = 10, 400, 60       # updates of D until (a), until (b), of G until (c)
ARROWS = np.linspace(-2.4, 2.4, 17)     # codes z that are drawn with an arrow to G(z)
NAMES = ("(a) the start", "(b) D trained, G fixed", "(c) G trained, D fixed", "(d) the end")


@dataclass
class Moment:
    """Both networks, evaluated on the grid of x after some number of updates."""

    step: int
    q: np.ndarray       # (B,) density of the generated numbers
    d: np.ndarray       # (B,) D(x)
    tips: np.ndarray    # G(ARROWS)
    folds: bool         # is G not monotonic?

    @property
    def best(self) -> np.ndarray:
        """D* = p / (p + q), the best possible discriminator, (B,)."""
        return GRID.p / np.maximum(GRID.p + self.q, 1e-30)

    @property
    def jsd(self) -> float:
        return GRID.jensen_shannon(self.q)

    @property
    def d_fake(self) -> float:
        """The mean of D(G(z))."""
        return GRID.mean(self.q, self.d)

    def numbers(self) -> dict[str, float]:
        """The row of a table; |D − D*| is averaged over the even mixture of p and q."""
        mean, std = GRID.moments(self.q)
        return {
            "updates": self.step,
            "JSD": self.jsd,
            "|D - D*|": GRID.mean((GRID.p + self.q) / 2, np.abs(self.d - self.best)),
            "D(G(z))": self.d_fake,
            "D*(G(z))": GRID.mean(self.q, self.best),
            "mean": mean,
            "std": std,
        }


def train(rounds: int, frames: int, seed: int = 1) -> tuple[list[Moment], list[Moment]]:
    """The moments (a) to (d), and those of an animation, close together at first.

    rounds : of joint training between (c) and (d), one update of each network a round
    """
    rng = np.random.default_rng(seed)
    model = tanh_game(rng)
    lr, discriminator_lr = Cosine(5e-4, CLIMB + rounds, 2e-5), Cosine(5e-3, AHEAD + rounds, 2e-4)
    optimizers = adam(model, lr, discriminator_lr)
    alone = FIRST + AHEAD + CLIMB
    filmed = set(np.unique(np.linspace(0, alone, frames // 3).astype(int)))
    filmed |= set(np.unique(alone + np.geomspace(1, rounds, frames - frames // 3).astype(int)))
    shown, film = [], [evaluate(model, 0)]
    for step in range(1, alone + rounds + 1):
        x = DATA.sample(128, rng=rng).astype(np.float32)
        if step <= FIRST + AHEAD:
            z = model.prior_sample(len(x), rng=rng)
            model.discriminator_step(x, z, optimizer=optimizers["discriminator"])
        elif step <= alone:
            model.generator_step(model.prior_sample(len(x), rng=rng), optimizer=optimizers["generator"])
        else:
            model.train_step((x,), optimizers, rng)
        if step in (FIRST, FIRST + AHEAD, alone, alone + rounds):
            shown.append(evaluate(model, step))
        if step in filmed:
            film.append(evaluate(model, step))
    return shown, film


def evaluate(model: GAN, step: int) -> Moment:
    """Evaluate both networks on the grid."""
    d = model.predict_real(GRID.x[:, None].astype(np.float32)).astype(np.float64)
    tips = model.inverse_transform(ARROWS[:, None].astype(np.float32))[:, 0]
    signs = np.sign(np.diff(GRID.images(model)[np.abs(GRID.z) < 3]))
    return Moment(step, GRID.density(model), d, tips, bool(signs.min() < 0 < signs.max()))
