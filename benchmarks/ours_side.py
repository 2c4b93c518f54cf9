"""Our side of a step: what `fit` does with a batch."""

from __future__ import annotations

import numpy as np
from steps import Step

from scratchgen.optim import Adam

LR = 1e-3


def one_loss(model, noise: str | None = None) -> Step:
    """A model with one loss; `noise` names the argument of `loss` that takes what it would draw."""
    optimizer = Adam(model.parameters(), LR)
    rng = np.random.default_rng(0)

    def step(*batch):
        return model.train_step(batch, optimizer, rng)["loss"]

    def gradients(x, *drawn):
        optimizer.zero_grad()
        loss, cache = model.loss(x, **dict(zip([noise], drawn, strict=False)))
        model.backward(cache)
        return [loss], [p.grad.copy() for p in model.parameters().values()]

    return Step(step, gradients)
