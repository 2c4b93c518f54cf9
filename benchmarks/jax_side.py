"""Training steps in JAX: the whole step is compiled, and the old weights' buffers are donated to the new
ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ours_side import GAME_BETAS, GAME_LR, LR
from steps import Step


def jax_one_loss(loss: Callable[..., Any], ours, dtype: str) -> Step:
    """The step of a model with a single loss, and Adam.

    loss(weights, key, *batch) takes the weights as a list in our layouts.
    """
    import jax

    state = start(ours, dtype)

    @jax.jit
    def value_and_gradients(weights, *batch):
        return jax.value_and_grad(loss)(weights, None, *batch)

    def update(state, *batch):
        weights, moments, steps, key = state
        key, now = jax.random.split(key)
        value, gradients = jax.value_and_grad(loss)(weights, now, *batch)
        weights, moments = adam(weights, gradients, moments, steps + 1)
        return (weights, moments, steps + 1, key), value

    update = jax.jit(update, donate_argnums=0)

    def step(*batch):
        nonlocal state
        state, value = update(state, *batch)
        jax.block_until_ready(state)
        return float(value)

    def gradients(*batch):
        value, found = value_and_gradients(state[0], *batch)
        return [float(value)], [np.asarray(g) for g in found]

    return Step(step, gradients)


def jax_game(draw: Callable[..., Any], losses: tuple, ours, dtype: str) -> Step:
    """The step of a GAN.

    losses : the critic's, called as loss(critic, generator, key, x, z[, u]), and the generator's, called as
             loss(generator, critic, x, z)
    """
    import jax

    critic = start(ours.discriminator, dtype)
    generator = start(ours.generator, dtype)
    how = {"lr": GAME_LR, "beta1": GAME_BETAS[0], "beta2": GAME_BETAS[1]}

    def update(critic, generator, x):
        c, c_moments, steps, key = critic
        g, g_moments, _, _ = generator
        key, first, second, third = jax.random.split(key, 4)
        value, slopes = jax.value_and_grad(losses[0])(c, g, third, x, draw(first, x))
        c, c_moments = adam(c, slopes, c_moments, steps + 1, **how)
        _, slopes = jax.value_and_grad(losses[1])(g, c, x, draw(second, x))
        g, g_moments = adam(g, slopes, g_moments, steps + 1, **how)
        return (c, c_moments, steps + 1, key), (g, g_moments, steps + 1, key), value

    update = jax.jit(update, donate_argnums=(0, 1))

    def step(x):
        nonlocal critic, generator
        critic, generator, value = update(critic, generator, x)
        jax.block_until_ready((critic, generator))
        return float(value)

    def gradients(x, z_critic, z_generator, *u):
        value, own = jax.value_and_grad(losses[0])(critic[0], generator[0], None, x, z_critic, *u)
        other, drawn = jax.value_and_grad(losses[1])(generator[0], critic[0], x, z_generator)
        return [float(value), float(other)], [np.asarray(g) for g in (*own, *drawn)]

    return Step(step, gradients)


def start(ours, dtype: str):
    """The initial state: the weights, Adam's moments (zero), the step count and a random key."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", dtype == "float64")
    weights = [jnp.asarray(p.value) for p in ours.parameters().values()]
    zeros = ([jnp.zeros_like(w) for w in weights], [jnp.zeros_like(w) for w in weights])
    return weights, zeros, jnp.zeros((), "int32"), jax.random.key(0)


def adam(weights, gradients, moments, t, lr=LR, beta1=0.9, beta2=0.999, eps=1e-8):
    """One step of Adam over lists of arrays."""
    import jax.numpy as jnp

    m = [beta1 * m + (1 - beta1) * g for m, g in zip(moments[0], gradients, strict=True)]
    v = [beta2 * v + (1 - beta2) * g**2 for v, g in zip(moments[1], gradients, strict=True)]
    rate, root = lr / (1 - beta1**t), jnp.sqrt(1 - beta2**t)
    new = [w - rate * m / (jnp.sqrt(v) / root + eps) for w, m, v in zip(weights, m, v, strict=True)]
    return new, (m, v)
