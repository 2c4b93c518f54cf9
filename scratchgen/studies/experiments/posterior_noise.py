"""Measure the noise of a VAE's codes during training, and after its decoder is damaged.

To second order the best noise is

    std² = 1 / (1 + H),     H = Σ_d p_d·(1 − p_d)·J_d²,     J = d logits / dz at z = mu

(docs/vae.md, section 8). It depends on the decoder alone, not on the gradient that trains the noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratchgen.data import binarise
from scratchgen.layers import Parameter, Sequential
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, History, Trainer

KINDS = ("undamaged", "shuffled", "noised")


class Measurement(NamedTuple):
    """Means over test digits and dimensions, after one step."""

    step: int
    decoder_gradient: float     # of the reconstruction error in logvar; negative if more noise helps
    kl_gradient: float          # the same from the KL, with its sign changed
    std: float
    predicted: float            # sqrt(1 / (1 + H))
    correlation: float          # of the logarithms of both, over digits and dimensions


class Run(NamedTuple):
    """One training run."""

    history: History
    measurements: list[Measurement]
    before: tuple[np.ndarray, np.ndarray]   # predicted and actual std at the damage, (100, K) each


def train(x: np.ndarray, x_test: np.ndarray, kind: str, epochs: int, *, seed: int = 1) -> tuple[Run, int]:
    """Train a VAE 784-400-20 whose decoder is damaged half-way; return the run and the step of the damage."""
    rng = np.random.default_rng(seed)
    model = VAE.dense((784, 400, 20), rng=rng)
    gradients = NoiseGradients(model, x_test, seed)
    damage = Damage(model.decoder.parameters()["0.weight"], kind, seed)
    callbacks = [ProgressBar(), gradients, damage]
    trainer = model.trainer(x, epochs=epochs, batch_size=128, rng=rng, callbacks=callbacks)
    history = trainer.run()
    return Run(history, gradients.measurements, gradients.before), gradients.damaged


def half_of_updates(trainer: Trainer) -> int:
    """The step after which the decoder is damaged."""
    return trainer.epochs * len(trainer.batches) // 2


class Damage(Callback):
    """Damages a layer half-way: "shuffled" permutes its weights, "noised" adds noise of twice their std.

    "undamaged" leaves it as it is.
    """

    def __init__(self, weight: Parameter, kind: str, seed: int):
        self.weight, self.kind, self.seed = weight, kind, seed

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step == half_of_updates(trainer):
            rng = np.random.default_rng(self.seed)
            weight = self.weight.value
            if self.kind == "shuffled":
                weight[...] = rng.permutation(weight.ravel()).reshape(weight.shape)
            if self.kind == "noised":
                weight += 2 * weight.std() * rng.standard_normal(weight.shape, weight.dtype)


class NoiseGradients(Callback):
    """Measures both gradients and the predicted noise.

    It measures at the first 20 steps after the start and after the damage, and then at every tenth step.

    x : test digits; the prediction uses the first 100, since it costs K passes
    """

    def __init__(self, model: VAE, x: np.ndarray, seed: int):
        self.model, self.seed = model, seed
        self.x = binarise(x, rng=np.random.default_rng(seed))
        self.measurements: list[Measurement] = []

    def on_start(self, trainer: Trainer) -> None:
        self.damaged = half_of_updates(trainer)

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        since = trainer.step - self.damaged * (trainer.step > self.damaged)
        if since > 20 and since % 10 and trainer.step != self.damaged:
            return
        with self.model.frozen():
            _, cache = self.model.loss(self.x, rng=self.seed)
            dz = len(self.x) * self.model.backward(cache)["dz"]     # (N, K), of each example's own loss
        decoder, kl = 0.5 * dz * cache.eps * cache.std, 0.5 * (cache.std**2 - 1)
        predicted, std = predicted_noise(self.model, self.x[:100]), cache.std[:100]
        correlation = np.corrcoef(np.log(predicted).ravel(), np.log(std).ravel())[0, 1]
        means = decoder.mean(), -kl.mean(), std.mean(), predicted.mean(), correlation
        self.measurements.append(Measurement(trainer.step, *map(float, means)))
        if trainer.step == self.damaged:
            self.before = predicted, std


def predicted_noise(model: VAE, x: np.ndarray) -> np.ndarray:
    """sqrt(1 / (1 + H)) of each digit and dimension, x (N, D) -> (N, K).

    H = Σ_d p_d·(1 − p_d)·J_d², one column of J at a time: the decoder's tangent along one axis of z.
    """
    mu, decoder = model.transform(x), model.decoder
    assert isinstance(decoder, Sequential)
    logits, cache = decoder.forward(mu)
    variance = np.exp(-np.abs(logits)) / (1 + np.exp(-np.abs(logits))) ** 2     # p·(1 − p), (N, D)
    curvature = np.empty_like(mu)
    for k in range(mu.shape[1]):
        step = np.zeros_like(mu)
        step[:, k] = 1
        curvature[:, k] = (variance * decoder.jvp(step, cache) ** 2).sum(axis=1)
    return np.sqrt(1 / (1 + curvature))


def moments(runs: dict[str, Run], damaged: int) -> dict[str, dict[str, float]]:
    """Measures of the runs at some steps, by "kind, moment"; before the damage all runs are the same."""
    table = {}
    for kind, run in runs.items():
        steps = run.history.steps
        last = len(steps["std"])
        wanted = {"step 1": 1, "step 5": 5, "before damage": damaged, "end": last}
        wanted |= {f"{n} after": damaged + n for n in (1, 5, 15, 60) if damaged + n < last}
        for name, step in sorted(wanted.items(), key=lambda item: item[1]):
            if kind != "undamaged" and step <= damaged:
                continue
            measured = min(run.measurements, key=lambda m: abs(m.step - step))
            table[f"{kind}, {name}"] = {
                "step": step,
                "error": steps["reconstruction"][step - 1],
                "KL": steps["kl"][step - 1],
                "std": steps["std"][step - 1],
                "test std": measured.std,
                "pred. std": measured.predicted,
                "corr.": measured.correlation,
                "grad.": measured.decoder_gradient,
            }
    return table


def against_undamaged(runs: dict[str, Run], damaged: int) -> dict[str, dict[str, float]]:
    """Noise and error divided by those of the undamaged run, averaged over steps 5 to 30 after the damage."""
    after = {
        kind: {key: np.array(run.history.steps[key][damaged:])[4:30] for key in ("std", "reconstruction")}
        for kind, run in runs.items()
    }
    return {
        kind: {key: float(np.mean(after[kind][key] / after[KINDS[0]][key])) for key in after[kind]}
        for kind in KINDS[1:]
    }


def correlation_with_error(run: Run) -> float:
    """Correlation of the noise with the reconstruction error over all steps, of their logarithms."""
    error, noise = (np.log(run.history.steps[key]) for key in ("reconstruction", "std"))
    return float(np.corrcoef(error, noise)[0, 1])
