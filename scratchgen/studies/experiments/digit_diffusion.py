"""Train diffusion and flow matching on digits, and measure errors by noise level and generated digits."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from scratchgen.metrics import accuracy, frechet_distance
from scratchgen.models import Diffusion, FlowMatching, MLPClassifier
from scratchgen.studies.experiments.digit_gans import AtMoments
from scratchgen.training import Cosine, Muon
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, Trainer

BATCH = 64          # of a dense network
UNET_BATCH = 32     # more updates for the same number of digits, and the same CPU time
LEVELS = 256        # grey levels


def dense(rng: np.random.Generator, *, predicts: str = "x0", **settings: Any) -> Diffusion:
    """A diffusion with a residual net that is 256 wide, which trains in half a minute.

    It predicts the digit: 256 numbers can describe a digit, but not the independent noise of 784 pixels.
    """
    return Diffusion.dense(784, 256, 3, levels=LEVELS, predicts=predicts, rng=rng, **settings)


def unet(kind: type[Any], channels: tuple[int, int], rng: np.random.Generator, **settings: Any) -> Any:
    """A Diffusion or a FlowMatching with a small U-Net, with these channels at 14×14 and 7×7 pixels."""
    return kind.convolutional(channels, levels=LEVELS, rng=rng, **settings)


def fit(
    model: Diffusion | FlowMatching,
    x: np.ndarray,
    y: np.ndarray | None,
    shown: int,
    lr: float,
    rng: np.random.Generator,
    *callbacks: Callback,
) -> None:
    """Train on about `shown` digits, with a learning rate that falls to 0 on a cosine."""
    model.fit(
        x, y, epochs=max(1, round(shown / len(x))), batch_size=BATCH, lr=Cosine(lr), rng=rng,
        callbacks=[ProgressBar(), *callbacks],
    )  # fmt: skip


def fit_unet(
    model: Diffusion | FlowMatching,
    x: np.ndarray,
    y: np.ndarray | None,
    shown: int,
    rng: np.random.Generator,
    *callbacks: Callback,
) -> None:
    """Train a U-Net on about `shown` digits by Muon, with a learning rate that falls to 0 on a cosine.

    In few updates, Muon gives better samples than Adam.
    """
    model.fit(
        x, y, epochs=max(1, round(shown / len(x))), batch_size=UNET_BATCH, lr=Cosine(2.5e-3), rng=rng,
        optimizer=partial(Muon, scale=0.4), callbacks=[ProgressBar(), *callbacks],
    )  # fmt: skip


class Reader:
    """A classifier that reads generated digits, and compares their features with those of unseen digits."""

    def __init__(self, classifier: MLPClassifier, x_test: np.ndarray):
        self.classifier, self.features = classifier, classifier.features(x_test)

    def frechet(self, images: np.ndarray) -> float:
        """The Fréchet distance of the features from those of unseen digits."""
        return frechet_distance(self.classifier.features(images), self.features)

    def measure(self, images: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """The share read as the class y, the diversity within the classes, and the Fréchet distance."""
        features = self.classifier.features(images)
        return {
            "as ordered": accuracy(self.classifier.predict(images), y),
            "diversity": float(np.mean([mean_distance(features[y == k]) for k in np.unique(y)])),
            "Fréchet": self.frechet(images),
        }


def mean_distance(points: np.ndarray) -> float:
    """The mean Euclidean distance between two different points of (N, F). Raises ValueError for N < 2."""
    if len(points) < 2:
        raise ValueError(f"mean_distance expected at least two points, got {len(points)}")
    points = points.astype(np.float64)
    squared = (points**2).sum(axis=1)
    between = np.maximum(squared[:, None] + squared - 2 * points @ points.T, 0)
    np.fill_diagonal(between, 0)
    return float(np.sqrt(between).sum() / (len(points) * (len(points) - 1)))


class Stage(NamedTuple):
    """A diffusion at a moment of its training."""

    shown: int              # digits in the training so far
    loss: float             # of unseen digits, each with the same noise at all moments
    images: np.ndarray      # generated from the same noise at all moments, (N, 784)


class Stages(AtMoments):
    """Records the loss of unseen digits and generated digits at given fractions of the training.

    x_test, y_test : unseen digits with their labels
    ordered : labels of the digits to generate
    """

    def __init__(
        self,
        model: Diffusion,
        x_test: np.ndarray,
        y_test: np.ndarray,
        ordered: np.ndarray,
        shares: tuple[float, ...],
        visits: int = 20,
    ):
        super().__init__(shares)
        self.model, self.x_test, self.y_test = model, x_test, y_test
        self.ordered, self.visits = ordered, visits
        self.found: list[Stage] = []

    def on_moment(self, trainer: Trainer) -> None:
        n = len(self.ordered)
        images = self.model.sample(n, rng=0, y=self.ordered, steps=self.visits, eta=0.0)
        shown = trainer.step * trainer.batches.batch_size
        self.found.append(Stage(shown, mean_loss(self.model, self.x_test, self.y_test), images))


def mean_loss(model: Diffusion, x: np.ndarray, y: np.ndarray, t: int | None = None, seed: int = 0) -> float:
    """The loss of digits x (N, 784) with labels y at step t, or at random steps.

    The noises depend on the seed alone.
    """
    rng = np.random.default_rng(seed)
    total = 0.0
    for start in range(0, len(x), 250):
        rows = slice(start, start + 250)
        x0, eps, steps, _ = model.prepare((x[rows], y[rows]), rng)
        total += len(x0) * model.loss(x0, eps, steps if t is None else np.full(len(x0), t), y[rows])[0]
    return total / len(x)


def error_by_step(model: Diffusion, x: np.ndarray, steps: list[int], seed: int) -> dict[int, float]:
    """For each step t: the mean squared error of the implied x̂_0, per pixel, for digits x (N, 784).

    The digits are scaled to [−1, 1], and x̂_0 is not clipped. As x_t = a_t·x_0 + s_t·eps, the error of the
    implied êps is (a_t/s_t)² times as large.
    """
    rng = np.random.default_rng(seed)
    x0 = 2 * x - 1
    errors = {}
    for t in steps:
        a, s = (x0.dtype.type(factor[t]) for factor in (model.noise.a, model.noise.s))
        xt = a * x0 + s * rng.standard_normal(x0.shape, x0.dtype)
        errors[t] = float(((model.denoise(xt, t)[0] - x0) ** 2).mean())
    return errors


def stopped(model: Diffusion, last: int, y: np.ndarray, seed: int, visits: int = 20) -> np.ndarray:
    """Generate digits of the labels y (N,) by DDIM from T to step `last`, and from there to 0 at once.

    No noise is added on the way. `visits` steps are visited, so all `last` take equally many evaluations of
    the network.
    """
    visited = np.unique(np.linspace(last, model.steps, visits).round().astype(int))[::-1]
    x = model.prior_sample(len(y), rng=seed)
    for t, u in zip(visited, [*visited[1:], 0], strict=True):
        (a_t, a_u), (s_t, s_u) = (factor[[t, u]].astype(x.dtype) for factor in (model.noise.a, model.noise.s))
        x0 = model.denoise(x, int(t), y)[0].clip(-1, 1)
        x = a_u * x0 + s_u * (x - a_t * x0) / s_t               # (DIFF.8), with σ = 0
    return (x + 1) / 2
