"""G against a held D until D is fooled, D against a held G until it sees through, and so on: where it leads.

Training told as a story has two phases that repeat. Here they are taken at their word, on a line:

    whole phases    G until the mean of D(G(z)) is 1/2; then D until its value is within 0.01 nats of the most
                    that any D could reach (known here: 2·JSD − 2·log 2), and at most 400 updates in a phase
    G to the end    the same, but G goes on for 400 updates: nothing stops at 1/2 while D is held
    one by one      one update of each in turn

All make the same number of updates in all, from the same start. In D's phases q stands still, for G is held;
so it is enough to measure q at the end of each phase of G.

Whole phases bring q nearer, but slowly, and with relapses: JSD 0.69, 0.45 after five phases of G, 0.1 to 0.2
after ten, then 0.04 to 0.17. (A threshold ends a phase, so from about the sixth on the numbers hang on how
the BLAS at hand rounds; two of them gave 24 and 17 phases, and the same story.) G to the end collapses to a
spread of about 0.1 (the data's is 0.5), chases D from place to place, and stays. One by one comes to 0.003
with the same number of updates.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scratchgen import plots
from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = GaussianMixture1D((1.0,), (3.0,), (0.5,))
SEED = 1
BATCH = 128
BETAS = (0.5, 0.999)
LONGEST = 400                           # updates in a phase
EVERY = 5                               # updates between two looks
CLOSE = 0.01                            # nats from the best value: D sees through
WAYS = ("whole phases", "G to the end", "one by one")
EDGES = np.linspace(-4, 8, 401)
WIDTH = EDGES[1] - EDGES[0]
X = (EDGES[1:] + EDGES[:-1]) / 2
P = np.exp(DATA.log_density(X[:, None]))
Z = np.linspace(-5, 5, 601)
MASS = np.diff([0.5 * math.erfc(-z / math.sqrt(2)) for z in Z])


class Look(NamedTuple):
    """Both nets after some number of updates in all; `phase` says whose phase has just ended, if one has."""

    step: int
    jsd: float
    mean: float
    spread: float
    fooled: float       # mean of D(G(z))
    short: float        # how far V(D) is below the best, in nats
    phase: str = ""


def main(out: Path, updates: int = 6000) -> None:
    """Train in each way, print the tables, draw. updates : of both nets together, in each way."""
    runs = {way: train(way, updates) for way in WAYS}
    for way in WAYS[:2]:
        ends = [look for look in runs[way] if look.phase == "G"]
        print(f"\n{way}: at the end of G's phase number ... (data: mean 3, spread 0.5)")
        print("phase  updates      JSD    mean  spread    D(G(z))")
        for number in sorted({1, 2, 3, 5, 10, 20, len(ends)}):
            if number <= len(ends):
                look = ends[number - 1]
                print(f"{number:5}{look.step:9,}{look.jsd:9.4f}{look.mean:8.2f}{look.spread:8.3f}{look.fooled:11.3f}")
    print(f"\nThe last quarter of {updates:,} updates")
    print("                  JSD: lowest    mean  highest    spread: lowest  highest    phases of G")
    for way, looks in runs.items():
        late = [look for look in looks if look.step > 0.75 * updates]
        jsd, spread = ([getattr(look, name) for look in late] for name in ("jsd", "spread"))
        phases = sum(look.phase == "G" for look in looks)
        print(
            f"{way:16}{min(jsd):13.4f}{np.mean(jsd):8.4f}{max(jsd):9.4f}"
            f"{min(spread):18.3f}{max(spread):9.3f}{phases:15}"
        )
    picture = plots.save(draw(runs), out / "phases.png")
    print(f"\n{picture} is drawn")


def train(way: str, updates: int) -> list[Look]:
    """One run from the same start, looked at every few updates and at the end of each phase."""
    rng = np.random.default_rng(SEED)
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    discriminator = dense((1, 32, 32, 1), rng=rng, activation=Tanh)
    model = GAN(generator, discriminator, code=1, output_range=None)
    optimizers = {
        "discriminator": Adam(discriminator.parameters(), 5e-3, BETAS),
        "generator": Adam(generator.parameters(), 5e-4, BETAS),
    }
    looks = [look_at(model, 0)]
    player, since = "D", 0
    for step in range(1, updates + 1):
        update(model, player, optimizers, rng)
        since += 1
        if step % EVERY == 0 or step == updates:
            looks.append(look_at(model, step))
        if way == "one by one":
            player = "G" if player == "D" else "D"
        elif step % EVERY == 0 and over(way, player, since, looks[-1]):
            looks[-1] = looks[-1]._replace(phase=player)
            player, since = "G" if player == "D" else "D", 0
    return looks


def over(way: str, player: str, since: int, look: Look) -> bool:
    """Is the phase of that player at its end?"""
    if since >= LONGEST:
        return True
    if player == "D":
        return look.short < CLOSE
    return way == "whole phases" and look.fooled >= 0.5


def update(model: GAN, player: str, optimizers: dict[str, Adam], rng: np.random.Generator) -> None:
    """One update of one player; the other is held."""
    z = model.prior_sample(BATCH, rng=rng)
    if player == "D":
        optimizers["discriminator"].zero_grad()
        _, real_and_drawn = model.discriminator_loss(DATA.sample(BATCH, rng=rng).astype(np.float32), z)
        model.discriminator_backward(real_and_drawn)
        optimizers["discriminator"].step()
    else:
        optimizers["generator"].zero_grad()
        _, drawn = model.generator_loss(z)
        model.generator_backward(drawn)
        optimizers["generator"].step()


def look_at(model: GAN, step: int) -> Look:
    """Densities and D on the axis. G counts as straight within each slice of z, as in 20_four_panels.py."""
    ends = model.inverse_transform(Z[:, None].astype(np.float32))[:, 0].astype(np.float64)
    low, length = np.minimum(ends[1:], ends[:-1]), np.maximum(np.abs(np.diff(ends)), 1e-9)
    q = np.diff(np.clip((EDGES[:, None] - low) / length, 0, 1) @ MASS) / WIDTH
    logits = model.discriminator.forward(X[:, None].astype(np.float32))[0][:, 0].astype(np.float64)
    best = sum(WIDTH * float(plogp(d, P + q).sum()) for d in (P, q))        # 2·JSD − 2·log 2
    value = -WIDTH * float((P * np.logaddexp(0, -logits) + q * np.logaddexp(0, logits)).sum())
    mean = float((X * q).sum() * WIDTH)
    spread = float((((X - mean) ** 2) * q).sum() * WIDTH) ** 0.5
    fooled = float((q / (1 + np.exp(-logits))).sum() * WIDTH)
    return Look(step, best / 2 + math.log(2), mean, spread, fooled, best - value)


def plogp(d: np.ndarray, total: np.ndarray) -> np.ndarray:
    """d·log(d / total), which is 0 where d is."""
    some = d > 0
    return np.where(some, d * np.log(np.where(some, d, 1) / np.where(some, total, 1)), 0)


def draw(runs: dict[str, list[Look]]) -> Figure:
    """JSD by updates in all; and D(G(z)) through the first whole phases, those of G in grey."""
    fig = plots.new_figure(6.4, title="Whole phases against single updates")
    above, below = fig.subplots(2, 1)
    for (colour, _), (way, looks) in zip(plots.LINES, runs.items(), strict=False):
        steps = [look.step for look in looks]
        above.semilogy(steps, [look.jsd for look in looks], color=colour, linewidth=1.3, label=way)
    above.set_title("JSD(p, q), nats", fontsize=10, color=plots.TEXT)
    above.legend(frameon=False, fontsize=9.5, loc="lower left")
    looks = runs[WAYS[0]]
    early = [look for look in looks if look.step <= looks[-1].step / 5]
    below.plot([k.step for k in early], [k.fooled for k in early], color=plots.LINES[0][0], linewidth=1.6)
    changes = [look for look in early if look.phase]
    for start, end in zip(changes, changes[1:], strict=False):
        if end.phase == "G":
            below.axvspan(start.step, end.step, color="#e5e5e5", linewidth=0)
    below.axhline(0.5, color=plots.TEXT, linewidth=0.8, linestyle="--")
    below.set_ylim(0, 1)
    title = "whole phases, the first fifth: mean of D(G(z)); grey: phases of G"
    below.set_title(title, fontsize=10, color=plots.TEXT)
    below.set_xlabel("updates of both nets together", fontsize=10, color=plots.TEXT)
    for ax in (above, below):
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.tick_params(labelsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
