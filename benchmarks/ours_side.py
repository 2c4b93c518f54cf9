"""Training steps in scratchgen: what `fit` does with a batch."""

from __future__ import annotations

import numpy as np
from steps import Step

from scratchgen.training.optimisers import Adam

LR = 1e-3
GAME_LR, GAME_BETAS = 1e-4, (0.5, 0.999)


def one_loss(model, noise: tuple[str, ...] = ()) -> Step:
    """The step of a model with a single loss; `noise` names the arguments of `loss` for its noise."""
    optimizer = Adam(model.parameters(), LR)
    rng = np.random.default_rng(0)

    def step(*batch):
        return model.train_step(batch, optimizer, rng)["loss"]

    def gradients(x, *drawn):
        optimizer.zero_grad()
        loss, cache = model.loss(x, **dict(zip(noise, drawn, strict=True)))
        model.backward(cache)
        return [loss], [p.grad.copy() for p in model.parameters().values()]

    return Step(step, gradients)


def game(model) -> Step:
    """The step of a GAN: one step of each network, with fresh noise."""
    optimizers = {
        player: Adam(getattr(model, player).parameters(), GAME_LR, GAME_BETAS)
        for player in ("discriminator", "generator")
    }
    rng = np.random.default_rng(0)

    def step(x):
        return model.train_step((x,), optimizers, rng)["loss"]

    def gradients(x, z_critic, z_generator, *u):
        model.zero_grad()
        loss, cache = model.discriminator_loss(x, z_critic, *u)
        penalty = model.discriminator_backward(cache)
        own = [p.grad.copy() for p in model.discriminator.parameters().values()]
        generator_loss, cache = model.generator_loss(z_generator)
        model.generator_backward(cache)
        drawn = [p.grad.copy() for p in model.generator.parameters().values()]
        return [loss + (penalty or 0.0), generator_loss], own + drawn

    return Step(step, gradients)
