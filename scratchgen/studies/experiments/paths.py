"""How straight the paths of a sampler are, pairs for a second round of training, a distance between samples.

Derived in docs/diffusion.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.metrics.pairwise import squared_distances
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.ode import integrate


def flow_paths(model: FlowMatching, z: np.ndarray, steps: int = 100, method: str = "heun") -> np.ndarray:
    """The states of the points z (N, D) after each step of the solver, (steps + 1, N, D)."""
    states = [z]
    for i in range(steps):
        states += integrate(
            lambda state, t: (model.velocity(state[0], t),), (states[-1],), i / steps, (i + 1) / steps,
            steps=1, method=method,
        )  # fmt: skip
    return np.array(states)


def ddim_paths(model: Diffusion, z: np.ndarray, steps: int = 100) -> np.ndarray:
    """The states of the noises z (N, D) after each step of DDIM with η = 0, (steps + 1, N, D)."""
    visited = [round(model.steps * (1 - i / steps)) for i in range(steps + 1)]
    states = [z]
    for t, u in zip(visited[:-1], visited[1:], strict=True):
        states.append(model._ddim(model._denoise_clipped(states[-1], t, None), t, u))
    return np.array(states)


def straightness(paths: np.ndarray) -> float:
    """The mean squared difference between the velocity on the way and that of the straight line.

    (PATH.1)  S = ∫₀¹ E‖(z_1 − z_0) − dz_t/dt‖² dt              0 only for straight paths at constant speed

    paths : (steps + 1, N, D), at equal intervals of time. dz_t/dt is the difference of two states, divided by
    the interval. Source: Liu et al. 2023, section 2.2.
    """
    velocity = np.diff(paths, axis=0) * (len(paths) - 1)                    # (steps, N, D)
    straight = paths[-1] - paths[0]
    return float(((straight - velocity) ** 2).sum(axis=2).mean())           # (PATH.1)


def excess_length(paths: np.ndarray) -> float:
    """By what share the paths (steps + 1, N, D) are longer than the lines between their ends."""
    walked = np.linalg.norm(np.diff(paths, axis=0), axis=2).sum()
    return float(walked / np.linalg.norm(paths[-1] - paths[0], axis=1).sum() - 1)


def energy_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """The energy distance of two sets of samples, X (N, D) and Y (M, D).

    (PATH.2)  d² = 2·E‖x − y‖ − E‖x − x'‖ − E‖y − y'‖,  and d is returned

    It is 0 only if the distributions are equal. The means are over all pairs of different samples, so that d²
    is unbiased: for two samples of one distribution it is 0 on average, and may be negative. Then d is 0.
    Source: Székely & Rizzo 2013, equations 2.1 and 6.1.
    """
    between = _mean_distance(X, Y)
    n, m = len(X), len(Y)
    within = _mean_distance(X, X) * n / (n - 1) + _mean_distance(Y, Y) * m / (m - 1)
    return float(np.sqrt(max(2 * between - within, 0.0)))                   # (PATH.2)


def _mean_distance(X: np.ndarray, Y: np.ndarray) -> float:
    total = sum(np.sqrt(np.maximum(squared, 0)).sum() for _, squared in squared_distances(X, Y))
    return float(total / (len(X) * len(Y)))


class Reflow(FlowMatching):
    """Flow matching between given pairs of noise and data, instead of random ones (Liu et al. 2023).

    `fit` takes rows (x_0, x_1), (N, 2·D), on the scale of the network. Pairs of noise and the sample that a
    trained model carries it to give paths that cross less, so the mean velocity (FM.5) is nearer to that of
    each path.
    """

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Check the pairs X (N, 2·D)."""
        expect_examples(self._who("fit"), X, features=2 * self.features)
        return X, None

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The pairs are on the scale of the network already."""
        return X

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Split the pairs, and draw the times."""
        x0, x1 = np.split(batch[0], 2, axis=1)
        return x1, x0, self._times(len(x1), rng), None
