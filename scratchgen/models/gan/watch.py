"""A watcher of games: it says in plain words what goes wrong, and what to try."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scratchgen.checks import expect_examples
from scratchgen.metrics.pairwise import squared_distances
from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.wgan import WGAN
from scratchgen.training.loop import Callback, Trainer, first_not_finite

SLOWER = "smaller learning rates for both players"
MORE_D = "a smaller lr for the generator, a larger discriminator_lr or k, or WGAN with a penalty"
LESS_D = "a smaller discriminator_lr, a narrower discriminator, non-saturating in place of minimax, or WGAN"


class Finding(NamedTuple):
    """What goes wrong, since which step it has been seen, and what to try."""

    what: str
    step: int
    try_: str


class Look(NamedTuple):
    """What one look at a game saw; d_real, d_fake and loss are means over the steps since the last look."""

    step: int
    d_real: float
    d_fake: float
    loss: float  # of D, or the penalty where there is one
    diversity: float  # mean distance between two samples, over that between two real examples
    unlike: float  # (WATCH.1), 0 where samples are distributed as the data is
    shares: list[float]  # of samples, by class; empty where nobody classifies


class WatchGame(Callback):
    """Looks at a GAN every so many steps, and collects what goes wrong that does not pass by itself.

    Each time the generator draws from the same noise, and its samples are set beside as many real examples.

    (WATCH.1)  unlike = (2·E‖x − x̃‖ − E‖x − x′‖ − E‖x̃ − x̃′‖) / E‖x − x′‖

    the energy distance (Székely & Rizzo 2013): never below 0, and 0 only where both have one distribution.

        collapse      diversity below 0.3: samples lie close together, whatever the noise
        one class     a class has more than (1 + s)/2 of the samples, where s is its share of the data
        D has won     D(x) > 0.98 and D(G(z)) < 0.02, and samples are no more like the data than a while ago
        D is blind    D(x) and D(G(z)) within 0.02 of each other, though unlike > 0.1
        runs away     D's loss above 4 nats (guessing costs 1.39), or a number that is not finite

    All but a number that isn't finite is to be seen at `patience` looks in a row; rounds in which G has yet
    to wait are not looked at. The critic of a WGAN gives no probabilities: there the third is left out, the
    fourth is a distance below zero, and the fifth a penalty above 10 times its weight. A look changes
    nothing in the run, to the bit: what it draws comes from an `rng` of its own.

    real : data to compare with, (N, D);  classify : (N, D) -> classes from 0, such as classifier.predict
    every : steps from look to look;  size : samples and real examples at a look

    findings : list of Finding (what, step, try_), empty as long as all is well;  looks : list of Look
    """

    def __init__(
        self,
        real: np.ndarray,
        *,
        rng: np.random.Generator,
        classify: Callable[[np.ndarray], np.ndarray] | None = None,
        every: int = 200,
        patience: int = 3,
        size: int = 200,
    ):
        expect_examples("WatchGame", real, least=2)
        for name, value, least in (("every", every, 1), ("patience", patience, 1), ("size", size, 2)):
            if value < least:
                raise ValueError(f"WatchGame expected {name} >= {least}, got {value}")
        size = min(size, len(real))
        self.real = real[rng.choice(len(real), size, replace=False)]
        self.classify, self.every, self.patience, self.size, self.rng = classify, every, patience, size, rng
        self.classes = np.zeros(0) if classify is None else np.bincount(classify(real)) / len(real)
        self.spread = _mean_distance(self.real)
        if self.spread == 0:
            raise ValueError("WatchGame expected real examples that differ, got one and the same")
        self.findings: list[Finding] = []
        self.looks: list[Look] = []
        self._streaks: dict[str, int] = {}
        self.z = np.zeros((0, 0))

    def on_start(self, trainer: Trainer) -> None:
        if not isinstance(trainer.model, GAN):
            raise TypeError(f"WatchGame expected a GAN to look at, got {type(trainer.model).__name__}")
        if not len(self.z):
            self.z = trainer.model.prior_sample(self.size, rng=self.rng)

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        waits = trainer.optimizer["generator"].steps == 0
        if trainer.step % self.every == 0 and not waits and isinstance(trainer.model, GAN):
            self.looks.append(self._look(trainer.model, trainer))
            problems = self._problems(trainer.model)
            self._streaks = {name: self._streaks.get(name, 0) + 1 for name in problems}
            for name, (what, try_) in problems.items():
                if self._streaks[name] == self.patience:
                    self.findings.append(Finding(what, trainer.step, try_))

    def on_end(self, trainer: Trainer) -> None:
        if trainer.history.ended:
            return
        where = first_not_finite(trainer.model) or first_not_finite(trainer.model, gradients=True)
        if where is not None:
            what = f"the game has run away: {where} is not finite"
            self.findings.append(Finding(what, trainer.step, SLOWER))

    def state(self) -> dict[str, np.ndarray]:
        seen = {
            "looks": [look._asdict() for look in self.looks],
            "findings": [finding._asdict() for finding in self.findings],
            "streaks": self._streaks,
        }
        return {"seen": np.frombuffer(json.dumps(seen).encode(), np.uint8)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        seen = json.loads(state["seen"].tobytes())
        self.looks = [Look(**look) for look in seen["looks"]]
        self.findings = [Finding(**finding) for finding in seen["findings"]]
        self._streaks = seen["streaks"]

    def _look(self, model: GAN, trainer: Trainer) -> Look:
        steps = trainer.history.steps
        means = {name: float(np.mean(column[-self.every :])) for name, column in steps.items()}
        drawn = model.inverse_transform(self.z)                # (size, D)
        between, within = _mean_distance(self.real, drawn), _mean_distance(drawn)
        unlike = (2 * between - self.spread - within) / self.spread  # (WATCH.1)
        shares = [] if self.classify is None else self._shares(self.classify(drawn)).tolist()
        loss = means.get("penalty", means["loss"])
        return Look(
            trainer.step, means["d_real"], means["d_fake"], loss, within / self.spread, unlike, shares
        )

    def _problems(self, model: GAN) -> dict[str, tuple[str, str]]:
        """What the last look finds wrong, by name: in words, and what to try."""
        look, problems = self.looks[-1], {}
        judgement = f"D(x) is {look.d_real:.3g} and D(G(z)) {look.d_fake:.3g}"
        if look.diversity < 0.3:
            what = f"samples have collapsed: they lie {look.diversity:.2f} times as far apart"
            problems["collapse"] = f"{what} as real examples do", MORE_D
        if look.shares:
            most = int(np.argmax(look.shares))
            if look.shares[most] > (1 + self.classes[most]) / 2:
                what = f"one class takes over: {look.shares[most]:.0%} of samples are of class {most}"
                problems["one class"] = f"{what}, of the data {self.classes[most]:.0%}", MORE_D
        if isinstance(model, WGAN):
            blind, runs_away = look.d_real <= look.d_fake, look.loss > 10 * (model.penalty or math.inf)
        else:
            blind, runs_away = abs(look.d_real - look.d_fake) < 0.02, look.loss > 4
            won = look.d_real > 0.98 and look.d_fake < 0.02
            if won and len(self.looks) > 1 and look.unlike > 0.95 * self.looks[-2].unlike:
                problems["won"] = f"the discriminator has won: {judgement}, and samples get no better", LESS_D
        if blind and look.unlike > 0.1:
            what = f"the discriminator sees nothing: {judgement}, though samples are unlike the data"
            problems["blind"] = what, MORE_D
        if runs_away:
            name = "penalty" if isinstance(model, WGAN) else "discriminator's loss"
            problems["runs away"] = f"the game runs away: the {name} is {look.loss:.3g}", SLOWER
        return problems

    def _shares(self, labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=len(self.classes)) / len(labels)


def _mean_distance(A: np.ndarray, B: np.ndarray | None = None) -> float:
    """The mean of ‖a − b‖ over all pairs; with one set alone, over pairs of two different examples."""
    other = A if B is None else B
    total = sum(np.sqrt(squared).sum() for _, squared in squared_distances(A, other))
    return float(total / (len(A) * (len(A) - 1) if B is None else len(A) * len(B)))
