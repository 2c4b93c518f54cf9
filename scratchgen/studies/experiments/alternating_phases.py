"""Train a GAN on a line in long phases of each player, and compare with alternating updates.

    whole phases    G until the mean of D(G(z)) is 1/2; then D until its value is within 0.01 nats of the
                    highest possible (known here: 2·JSD − 2·log 2); at most 400 updates in a phase
    G to the end    the same, but G always makes 400 updates
    one by one      one update of each in turn

All make the same number of updates from the same start. q does not change in D's phases, so it is enough to
measure q at the end of each phase of G.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from scratchgen.data import GaussianMixture1D
from scratchgen.models import GAN
from scratchgen.studies.experiments.gan_on_a_line import Grid, adam, plogp, tanh_game

DATA = GaussianMixture1D((1.0,), (3.0,), (0.5,))
GRID = Grid(DATA, -4, 8, 400, 600)
BATCH = 128
LONGEST = 400       # updates in a phase
EVERY = 5           # updates between two measurements
CLOSE = 0.01        # a phase of D ends when its value is this many nats below the highest
SCHEDULES = ("whole phases", "G to the end", "one by one")


class State(NamedTuple):
    """Both networks after some number of updates; `phase` is the player whose phase has just ended, or ""."""

    step: int
    jsd: float
    mean: float
    std: float
    d_fake: float       # mean of D(G(z))
    gap: float          # how far V(D) is below the highest value, in nats
    phase: str = ""


def train(schedule: str, updates: int, seed: int = 1) -> list[State]:
    """Make `updates` updates, counting those of both networks, and measure every EVERY updates."""
    rng = np.random.default_rng(seed)
    model = tanh_game(rng)
    optimizers = adam(model, 5e-4, 5e-3)
    states = [measure(model, 0)]
    player, since = "D", 0
    for step in range(1, updates + 1):
        z = model.prior_sample(BATCH, rng=rng)
        if player == "D":
            x = DATA.sample(BATCH, rng=rng).astype(np.float32)
            model.discriminator_step(x, z, optimizer=optimizers["discriminator"])
        else:
            model.generator_step(z, optimizer=optimizers["generator"])
        since += 1
        if step % EVERY == 0 or step == updates:
            states.append(measure(model, step))
        if schedule == "one by one":
            player = "G" if player == "D" else "D"
        elif step % EVERY == 0 and ends(schedule, player, since, states[-1]):
            states[-1] = states[-1]._replace(phase=player)
            player, since = "G" if player == "D" else "D", 0
    return states


def ends(schedule: str, player: str, since: int, state: State) -> bool:
    """Whether the player's phase, which began `since` updates ago, ends in this state."""
    if since >= LONGEST:
        return True
    if player == "D":
        return state.gap < CLOSE
    return schedule == "whole phases" and state.d_fake >= 0.5


def measure(model: GAN, step: int) -> State:
    """Evaluate both networks on the grid."""
    q = GRID.density(model)
    logits = model.discriminator.forward(GRID.x[:, None].astype(np.float32))[0][:, 0].astype(np.float64)
    best = sum(GRID.width * float(plogp(d, GRID.p + q).sum()) for d in (GRID.p, q))     # 2·JSD − 2·log 2
    value = -GRID.width * float((GRID.p * np.logaddexp(0, -logits) + q * np.logaddexp(0, logits)).sum())
    d_fake = GRID.mean(q, 1 / (1 + np.exp(-logits)))
    return State(step, best / 2 + math.log(2), *GRID.moments(q), d_fake, best - value)


def last_quarter(states: list[State]) -> dict[str, float]:
    """JSD and standard deviation of q over the last quarter of the updates; the number of phases of G."""
    late = [state for state in states if state.step > 0.75 * states[-1].step]
    jsd, std = [state.jsd for state in late], [state.std for state in late]
    return {
        "JSD: lowest": min(jsd),
        "JSD: mean": float(np.mean(jsd)),
        "JSD: highest": max(jsd),
        "std: lowest": min(std),
        "std: highest": max(std),
        "phases of G": sum(state.phase == "G" for state in states),
    }
