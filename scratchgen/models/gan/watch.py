"""A callback that describes problems in the training of a GAN, and suggests what to try."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scratchgen.checks import as_generator, expect_examples
from scratchgen.metrics.pairwise import squared_distances
from scratchgen.models.arguments import count
from scratchgen.models.gan.model import GAN
from scratchgen.models.gan.objectives import OBJECTIVES
from scratchgen.models.gan.wgan import WGAN
from scratchgen.models.networks import in_batches
from scratchgen.training.loop import Callback, Trainer
from scratchgen.training.step import first_not_finite

SLOWER = "smaller learning rates for both players"
MORE_D = "a smaller lr for the generator, a larger discriminator_lr or k, or WGAN with a penalty"
LESS_D = "a smaller discriminator_lr, a narrower discriminator, non-saturating in place of minimax, or WGAN"


class Finding(NamedTuple):
    """A problem: its description, the step at which it was reported, and what to try."""

    what: str
    step: int
    try_: str


class Snapshot(NamedTuple):
    """The state of a GAN at one step; d_real, d_fake and loss are means over the steps since the last one."""

    step: int
    d_real: float
    d_fake: float
    loss: float             # of D, or the gradient penalty if there is one
    diversity: float        # mean distance between two samples, divided by that between two real examples
    unlike: float           # (WATCH.1), 0 if samples are distributed as the data
    shares: list[float]     # fraction of samples in each class; empty without a classifier


class WatchGame(Callback):
    """Examine a GAN every few steps, and report problems that persist.

    The generator's samples from fixed latent codes are compared with the same number of real examples.

    (WATCH.1)  unlike = (2·E‖x − x̃‖ − E‖x − x′‖ − E‖x̃ − x̃′‖) / E‖x − x′‖

    the energy distance (Székely & Rizzo 2013): at least 0, and 0 only if both have the same distribution.

        collapse        diversity below 0.3: samples are close together, whatever the latent code
        one class       a class has more than (1 + s)/2 of the samples, where s is its share of the data
        D has won       D(x) > 0.98 and D(G(z)) < 0.02, and samples did not come closer to the data
        D cannot tell   D(x) and D(G(z)) differ by less than 0.02, although unlike > 0.1
        diverges        D's loss is above 4 nats (1.39 by guessing), or a number is not finite; for the
                        objectives "hinge" and "least-squares", the limits are 6 and 1.5

    A problem is reported when it is found `patience` times in a row; a number that is not finite is reported
    at once. Rounds before the first generator step are skipped. A critic gives no probabilities: for a
    WGAN and for the objectives without probabilities, the third problem is not checked, and the fourth is a
    mean score of samples that is not below that of real examples. The fifth is a penalty above 10 times its
    weight for a WGAN. The callback does not change the run, because it has its own `rng`.

    real : data to compare with, (N, D);  classify : (N, D) -> classes from 0, such as classifier.predict
    every : steps between two examinations;  size : number of samples, and of real examples
    rng : a Generator or an integer seed

    findings : list of Finding (what, step, try_), empty without problems;  snapshots : list of Snapshot
    """

    def __init__(
        self,
        real: np.ndarray,
        *,
        rng: np.random.Generator | int,
        classify: Callable[[np.ndarray], np.ndarray] | None = None,
        every: int = 200,
        patience: int = 3,
        size: int = 200,
    ):
        expect_examples("WatchGame", real, least=2)
        for name, value, least in (("every", every, 1), ("patience", patience, 1), ("size", size, 2)):
            count("WatchGame", name, value, least)
        rng, size = as_generator("WatchGame", rng), min(size, len(real))
        self.real = real[rng.choice(len(real), size, replace=False)]
        self.classify, self.every, self.patience, self.size, self.rng = classify, every, patience, size, rng
        self.classes = np.zeros(0) if classify is None else np.bincount(classify(real)) / len(real)
        self.spread = _mean_distance(self.real)
        if self.spread == 0:
            raise ValueError("WatchGame expected real examples that differ, but all are equal")
        self.findings: list[Finding] = []
        self.snapshots: list[Snapshot] = []
        self._streaks: dict[str, int] = {}
        self.z = np.zeros((0, 0))

    def on_start(self, trainer: Trainer) -> None:
        if not isinstance(trainer.model, GAN):
            raise TypeError(f"WatchGame expected a GAN, got {type(trainer.model).__name__}")
        if not len(self.z):
            self.z = trainer.model.random_input(self.size, rng=self.rng)

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        waits = trainer.optimizer["generator"].steps == 0
        if trainer.step % self.every == 0 and not waits and isinstance(trainer.model, GAN):
            self.snapshots.append(self._snapshot(trainer.model, trainer))
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
            what = f"the training diverged: {where} is not finite"
            self.findings.append(Finding(what, trainer.step, SLOWER))

    def state(self) -> dict[str, np.ndarray]:
        seen = {
            "snapshots": [snapshot._asdict() for snapshot in self.snapshots],
            "findings": [finding._asdict() for finding in self.findings],
            "streaks": self._streaks,
        }
        return {"seen": np.frombuffer(json.dumps(seen).encode(), np.uint8)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        seen = json.loads(state["seen"].tobytes())
        self.snapshots = [Snapshot(**snapshot) for snapshot in seen["snapshots"]]
        self.findings = [Finding(**finding) for finding in seen["findings"]]
        self._streaks = seen["streaks"]

    def _snapshot(self, model: GAN, trainer: Trainer) -> Snapshot:
        steps = trainer.history.steps
        means = {name: float(np.mean(column[-self.every :])) for name, column in steps.items()}
        samples = in_batches(lambda z: model.generator.forward(z)[0], self.z)      # (size, D)
        between, within = _mean_distance(self.real, samples), _mean_distance(samples)
        unlike = (2 * between - self.spread - within) / self.spread  # (WATCH.1)
        shares = [] if self.classify is None else self._shares(self.classify(samples)).tolist()
        loss = means.get("penalty", means["loss"])
        return Snapshot(
            trainer.step, means["d_real"], means["d_fake"], loss, within / self.spread, unlike, shares
        )

    def _problems(self, model: GAN) -> dict[str, tuple[str, str]]:
        """The problems of the last snapshot by name: a description, and what to try."""
        last, problems = self.snapshots[-1], {}
        values = f"D(x) is {last.d_real:.3g} and D(G(z)) {last.d_fake:.3g}"
        if last.diversity < 0.3:
            what = f"samples have collapsed: their mean distance is {last.diversity:.2f} times that"
            problems["collapse"] = f"{what} of real examples", MORE_D
        if last.shares:
            most = int(np.argmax(last.shares))
            in_data = self.classes[most] if most < len(self.classes) else 0.0
            if last.shares[most] > (1 + in_data) / 2:
                what = f"one class takes over: {last.shares[most]:.0%} of samples are of class {most}"
                problems["one class"] = f"{what}, but {in_data:.0%} of the data", MORE_D
        if isinstance(model, WGAN):
            cannot_tell, diverges = last.d_real <= last.d_fake, last.loss > 10 * (model.penalty or math.inf)
        elif not OBJECTIVES[model.objective].probabilities:
            limit = OBJECTIVES[model.objective].diverges
            cannot_tell, diverges = last.d_real <= last.d_fake, last.loss > limit
        else:
            limit = OBJECTIVES[model.objective].diverges
            cannot_tell, diverges = abs(last.d_real - last.d_fake) < 0.02, last.loss > limit
            won = last.d_real > 0.98 and last.d_fake < 0.02
            if won and len(self.snapshots) > 1 and last.unlike > 0.95 * self.snapshots[-2].unlike:
                problems["won"] = f"the discriminator has won: {values}, and samples do not improve", LESS_D
        if cannot_tell and last.unlike > 0.1:
            what = f"the discriminator cannot tell samples from data: {values}, although they differ"
            problems["cannot tell"] = what, MORE_D
        if diverges:
            name = "penalty" if isinstance(model, WGAN) else "discriminator's loss"
            problems["diverges"] = f"the training diverges: the {name} is {last.loss:.3g}", SLOWER
        return problems

    def _shares(self, labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=len(self.classes)) / len(labels)


def _mean_distance(A: np.ndarray, B: np.ndarray | None = None) -> float:
    """The mean of ‖a − b‖ over all pairs; with one set, over pairs of two different examples."""
    other = A if B is None else B
    total = sum(np.sqrt(squared).sum() for _, squared in squared_distances(A, other))
    return float(total / (len(A) * (len(A) - 1) if B is None else len(A) * len(B)))
