"""What the reproductions of GANs share: a curve of a figure, and samples measured by the judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scratchgen.data import Digits, load_digits
from scratchgen.metrics import accuracy, digit_shares, frechet_distance
from scratchgen.models import GAN, AveragedGenerator, ConvClassifier
from scratchgen.studies.digit_classifier import trained_judge
from scratchgen.studies.reproduce.record import Record, machine
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.runs import expect_place, run_saved
from scratchgen.training.schedules import Cosine

SAMPLES = 10_000


class Curve(Callback):
    """A figure every few epochs and at the end, kept with the run."""

    def __init__(self, figure: Callable[[], float], every: int):
        self.figure, self.every = figure, every
        self.rows: list[tuple[int, float, float]] = []

    def on_epoch(self, trainer, values):
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.epochs:
            self.rows.append((trainer.epoch, values["seconds"], self.figure()))

    def state(self):
        return {"rows": np.array(self.rows, np.float64).reshape(-1, 3)}

    def load_state(self, state):
        self.rows = [(int(epoch), seconds, figure) for epoch, seconds, figure in state["rows"]]

    def points(self) -> list[dict[str, float]]:
        return [
            {"epoch": epoch, "seconds": round(seconds, 1), "figure": round(figure, 3)}
            for epoch, seconds, figure in self.rows
        ]


def cosine_run(
    model: GAN,
    X: np.ndarray,
    *,
    epochs: int,
    batch: int,
    rate: float,
    discriminator_rate: float,
    rng: np.random.Generator,
) -> Trainer:
    """A run by Adam with betas (0.5, 0.999), both nets' rates falling to 0 on a cosine."""
    steps = epochs * (len(X) // batch)
    return model.trainer(
        X,
        epochs=epochs,
        batch_size=batch,
        lr=Cosine(rate, steps),
        discriminator_lr=Cosine(discriminator_rate, steps),
        betas=(0.5, 0.999),
        rng=rng,
    )


class Judged(NamedTuple):
    """What the judge finds in samples."""

    distance: float                 # Fréchet distance of its features, samples against test digits
    worst: float                    # how far the worst digit's share lies from the test set's, in points
    details: dict[str, list[float]]  # the shares themselves, in per cent, from 0 to 9


class Court:
    """The judge, and what it found in the test digits, against which samples are held."""

    def __init__(self, judge: ConvClassifier, digits: Digits):
        self.judge = judge
        self.features = judge.features(digits.x_test)
        self.expected = 100 * digit_shares(digits.y_test).share
        self.accuracy = 100 * accuracy(judge.predict(digits.x_test), digits.y_test)

    def measure(self, samples: np.ndarray) -> Judged:
        shares = digit_shares(self.judge.predict(samples))
        share, error = 100 * shares.share, 100 * shares.error
        details = {"samples": share, "standard error": error, "test digits": self.expected}
        return Judged(
            frechet_distance(self.judge.features(samples), self.features),
            float(np.abs(share - self.expected).max()),
            {name: np.round(values, 2).tolist() for name, values in details.items()},
        )


def draw(model: GAN, seed: int) -> np.ndarray:
    """10,000 samples, the same codes every time."""
    return model.sample(SAMPLES, rng=np.random.default_rng(seed))


def beside(judged: Judged, court: Court) -> dict[str, float]:
    """The judge's figures as the lines below a record's own."""
    return {
        "largest difference of a digit's share from the test set's, in points": round(judged.worst, 2),
        "the judge's own accuracy on test digits, %": round(court.accuracy, 2),
    }


def judged_record(
    name: str,
    title: str,
    build: Callable[[np.ndarray, int], tuple[GAN, Trainer]],
    recipe: str,
    *,
    epochs: int,
    every: int,
    resume: bool,
    seed: int,
) -> Record:
    """Train the game that `build` sets up on the 60,000 digits, and let the judge see what it draws."""
    run, config = Path(f"runs/reproduce-{name}.safetensors"), {"run": name, "epochs": epochs}
    expect_place(run, resume=resume, config=config)
    digits = load_digits("full")
    print(digits.source)
    court = Court(trained_judge(digits), digits)
    model, trainer = build(digits.x_train, epochs)
    averaged = AveragedGenerator(model)

    def measured() -> Judged:
        with averaged.applied():
            return court.measure(draw(model, seed))

    curve = Curve(lambda: measured().distance, every)
    trainer.callbacks += [averaged, curve]
    history = run_saved(trainer, run, resume=resume, config=config, every=every)
    judged, last = measured(), court.measure(draw(model, seed))
    true = np.random.default_rng(seed).permutation(digits.x_train)[:SAMPLES]
    return Record(
        name=name,
        figure=f"{title}, {epochs} epochs: Fréchet distance of {SAMPLES:,} samples from the test digits",
        unit="squared distance, judge's features",
        paper=None,
        source="",
        ours=round(judged.distance, 3),
        seconds=history.seconds,
        machine=machine(),
        recipe=f"{recipe}; samples by the generator's averaged weights (decay {averaged.decay:g})",
        curve=curve.points(),
        beside={
            "the last weights in place of the averaged ones": round(last.distance, 2),
            "as many training digits in place of samples": round(court.measure(true).distance, 2),
            **beside(judged, court),
        },
        details=judged.details,
    )
