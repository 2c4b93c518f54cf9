"""The training of two players against each other, each with its own loss and optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from scratchgen.layers import Layer
from scratchgen.models.arguments import count, expect_betas, learning_rate
from scratchgen.models.base import OPTIMIZERS, Model, Optimise
from scratchgen.runtime.ranks import step_ranks
from scratchgen.training.loop import Augment, Callback, Trainer
from scratchgen.training.optimisers import Adam, Optimizer
from scratchgen.training.schedules import Rate, bind
from scratchgen.training.step import player_step

PLAYERS = ("discriminator", "generator")
OfPlayers = Mapping[str, Optimise]


class Game(Model):
    """A generator and a discriminator, trained by Algorithm 1 of Goodfellow et al. 2014.

    A subclass defines the losses of both players and their backward passes, and `prior_sample`.

    k : discriminator steps per generator step
    ahead : discriminator steps before the first generator step, rounded up to a multiple of k
    """

    generator: Layer
    discriminator: Layer
    k: int
    ahead: int

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes z from the prior, (n, K)."""
        raise TypeError(f"{type(self).__name__} has no prior_sample")

    def discriminator_loss(self, x: np.ndarray, z: np.ndarray) -> tuple[float, Any]:
        """Return the discriminator's loss and its cache, for real examples x and latent codes z."""
        raise TypeError(f"{type(self).__name__} has no discriminator_loss")

    def discriminator_backward(self, cache: Any) -> Any:
        """Add the discriminator's gradients."""
        raise TypeError(f"{type(self).__name__} has no discriminator_backward")

    def generator_loss(self, z: np.ndarray, x: np.ndarray | None = None) -> tuple[float, Any]:
        """Return the generator's loss and its cache, for latent codes z and real examples x if needed."""
        raise TypeError(f"{type(self).__name__} has no generator_loss")

    def generator_backward(self, cache: Any) -> Any:
        """Add the generator's gradients."""
        raise TypeError(f"{type(self).__name__} has no generator_backward")

    def train_step(
        self, batch: tuple, optimizer: Mapping[str, Optimizer], rng: np.random.Generator
    ) -> dict[str, float]:
        """Make one round of Algorithm 1: k steps of D, each on m new examples, then one step of G.

        The generator does not train until the discriminator has made `ahead` steps. The optimiser counts the
        steps, so this also works in resumed runs. Returns the losses, the means of D(x) and D(G(z)), and the
        norms of both gradients; the generator's norm is 0 while it does not train.
        """
        waits = optimizer["discriminator"].steps < self.ahead
        m = len(batch[0]) // self.k
        if m < 1:
            who = type(self).__name__
            raise ValueError(
                f"{who} expected batches of at least k = {self.k} examples, got {len(batch[0])}"
            )
        for i in range(self.k):
            part = [array[i * m : (i + 1) * m] for array in batch]
            inputs = step_ranks().part(self._discriminator_inputs(part, rng))
            values = self.discriminator_step(**inputs, optimizer=optimizer["discriminator"])
        inputs = step_ranks().part(self._generator_inputs(part, rng))
        if waits:
            loss, _ = self.generator_loss(**inputs)
            return values | {"generator_loss": loss, "generator_grad": 0.0}
        return values | self.generator_step(**inputs, optimizer=optimizer["generator"])

    def _discriminator_inputs(
        self, batch: list[np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """The arguments of a discriminator step on a batch (x, …), with new random numbers."""
        return {"x": batch[0], "z": self.prior_sample(len(batch[0]), rng=rng)}

    def _generator_inputs(self, batch: list[np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The arguments of a generator step after a discriminator step on a batch."""
        return {"z": self.prior_sample(len(batch[0]), rng=rng)}

    def discriminator_step(
        self, x: np.ndarray, z: np.ndarray, *, optimizer: Optimizer, **more: np.ndarray
    ) -> dict[str, float]:
        """Make one update of the discriminator, with real examples x (m, D) and latent codes z (m, K).

        more : further arguments of `discriminator_loss`, such as labels
        """
        loss, cache, _, norm = player_step(
            self, optimizer, lambda: self.discriminator_loss(x, z, **more), self.discriminator_backward,
            "the discriminator's loss", norm=True,
        )
        return {"loss": loss, **self._report(cache), "discriminator_grad": norm}

    def _report(self, cache: Any) -> dict[str, float]:
        """The numbers besides the loss that a discriminator step records."""
        return {"d_real": cache.d_real, "d_fake": cache.d_fake}

    def generator_step(
        self, z: np.ndarray, *, optimizer: Optimizer, **more: np.ndarray
    ) -> dict[str, float]:
        """Make one update of the generator, with latent codes z (m, K).

        more : further arguments of `generator_loss`, such as real examples
        """
        step = player_step(
            self, optimizer, lambda: self.generator_loss(z, **more), self.generator_backward,
            "the generator's loss", norm=True,
        )
        return {"generator_loss": step.loss, "generator_grad": step.norm}

    def trainer(  # type: ignore[override]  # two learning rates, and always whole batches
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 64,
        lr: float | Rate | None = None,
        discriminator_lr: float | Rate | None = None,
        betas: tuple[float, float] | None = None,
        optimizer: Optimise | OfPlayers | None = None,
        augment: Augment | None = None,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        warm_start: bool = False,
    ) -> Trainer:
        """Return the Trainer that `fit` would run, without starting it. The arguments are those of `fit`."""
        who = self._who("fit")
        X, _ = self.check_data(X, y)
        for name, rate in (("lr", lr), ("discriminator_lr", discriminator_lr)):
            if rate is not None:
                learning_rate(who, name, rate)
        if betas is not None:
            expect_betas(who, betas)
        self._expect_optimizer(who, optimizer, betas)
        if len(X) < self.k * count(who, "batch_size", batch_size):
            least = f"k·batch_size = {self.k}·{batch_size}"
            raise ValueError(f"{who} expected at least {least} examples, got {len(X)}")
        return self._trainer(
            X, y, epochs=epochs, rng=rng, batch_size=self.k * batch_size, augment=augment, drop_last=True,
            clip=clip, clip_value=clip_value, callbacks=callbacks, validate=validate, warm_start=warm_start,
            optimizers=lambda rounds: self.optimizers(lr, rounds, discriminator_lr, betas, optimizer),
        )

    def fit(  # type: ignore[override]  # two learning rates, and always whole batches
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 64,
        lr: float | Rate | None = None,
        discriminator_lr: float | Rate | None = None,
        betas: tuple[float, float] | None = None,
        optimizer: Optimise | OfPlayers | None = None,
        augment: Augment | None = None,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        warm_start: bool = False,
    ) -> Self:
        """Train both networks, each with its own optimiser; return the model.

        X : (N, D);  y : labels (N,), for ConditionalGAN alone
        batch_size : m, the real examples of one discriminator step; a batch has k·m examples
        lr : learning rate of the generator: a number, a schedule, or a function of the fraction of training
            completed;  discriminator_lr : learning rate of the discriminator, by default the same
        betas : the decay rates of Adam. The defaults of the learning rates and of betas are those of the
            paper.
        optimizer : of both networks, in the place of the paper's: a class such as RMSProp, or a function
            (parameters, lr) -> Optimizer, such as ``functools.partial(Adam, betas=(0, 0.9))``; or a dict with
            one for "generator" and one for "discriminator"
        The other arguments are those of Model.fit.

        Radford et al. 2016 use equal rates. Other ratios may be better. In one dimension, a tenth of D's rate
        was better for the generator. On digits, five to ten times D's rate was better for a dense GAN with
        small_pixel_init and for a convolutional one with hidden layers (docs/gan.md, section 10).
        """
        self.trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, lr=lr, discriminator_lr=discriminator_lr,
            betas=betas, optimizer=optimizer, augment=augment, clip=clip, clip_value=clip_value,
            callbacks=callbacks, validate=validate, warm_start=warm_start,
        ).run()
        return self

    def _expect_optimizer(self, who: str, optimizer: Any, betas: Any) -> None:
        """Check the argument `optimizer` of fit."""
        wanted = f'{OPTIMIZERS}, or a dict of them for "generator" and "discriminator"'
        given = optimizer if isinstance(optimizer, Mapping) else dict.fromkeys(PLAYERS, optimizer)
        if optimizer is not None and (set(given) != set(PLAYERS) or not all(map(callable, given.values()))):
            raise TypeError(f"{who} expected optimizer to be {wanted}, got {optimizer!r}")
        if optimizer is not None and betas is not None:
            raise ValueError(f"{who} expected betas or optimizer, got both; pass partial(Adam, betas=...)")

    def optimizers(  # type: ignore[override]  # one optimiser for each network
        self,
        lr: float | Rate | None,
        steps: int,
        discriminator_lr: float | Rate | None = None,
        betas: tuple[float, float] | None = None,
        optimizer: Optimise | OfPlayers | None = None,
    ) -> dict[str, Optimizer]:
        """Adam for each network, with 2e-4 and betas (0.5, 0.999) (Radford et al. 2016); steps : rounds."""
        lr = 2e-4 if lr is None else lr
        rates = self._bound(lr, discriminator_lr, steps)
        return self._players(rates, optimizer or partial(Adam, betas=betas or (0.5, 0.999)))

    def _players(
        self, rates: tuple[float | Rate, float | Rate], optimizer: Optimise | OfPlayers
    ) -> dict[str, Optimizer]:
        """An optimiser for each network; rates : of the generator and of the discriminator."""
        found: dict[str, Optimizer] = {}
        for name, rate in (("discriminator", rates[1]), ("generator", rates[0])):
            make = optimizer[name] if isinstance(optimizer, Mapping) else optimizer
            found[name] = make(getattr(self, name).parameters(), rate)      # type: ignore[arg-type]
            if not isinstance(found[name], Optimizer):
                who = self._who("fit")
                raise TypeError(
                    f"{who} expected optimizer to be {OPTIMIZERS}, but it returned {found[name]!r}"
                )
        return found

    def _bound(
        self, lr: float | Rate, discriminator_lr: float | Rate | None, rounds: int
    ) -> tuple[float | Rate, float | Rate]:
        """Both learning rates as functions of each player's own step number.

        In each round, D makes k steps and G makes one, after `ahead` steps of D.
        """
        waits = -(-self.ahead // self.k)        # rounds in which only D trains
        discriminator_lr = lr if discriminator_lr is None else discriminator_lr
        return bind(lr, rounds - waits), bind(discriminator_lr, self.k * rounds)
