"""Four moments of one adversarial training on a line, the best discriminator drawn beside the learnt one.

Data from two humps that overlap; the generator turns z ~ N(0, 1) into numbers. Beside the learnt D(x) stands
D* = p / (p + q), the best there is against the generator of that moment:

    (a) the start: D has had 10 updates          (b) D trained on, G held: D lies on D*
    (c) G trained, D held: up the slope of D     (d) after thousands of rounds: q = p, and D is 1/2

q is the density of G(z), no smoothed histogram: z is cut into 2,000 slices, G is taken as straight within a
slice, and each slice spreads its probability evenly between the images of its ends. That is the change of
variables, and it would stay right where G turned round and two slices landed on one place.

The JS divergence falls from 0.66, nearly log 2, to 0.001 and D(G(z)) comes to 1/2. It is not all downhill: at
the end of (c) the JSD rises again, and D(G(z)) is five times what the best D would say. G still climbs the
slope of a D that no longer fits.

Draws four_panels.png, and the same as an animation, four_panels.gif.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Tanh
from scratchgen.models import GAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = GaussianMixture1D((0.6, 0.4), (1.5, 2.9), (0.5, 0.45))
SEED = 1
BATCH = 128
BETAS = (0.5, 0.999)
FIRST, AHEAD, CLIMB = 10, 400, 60       # updates of D until (a), until (b), of G until (c)
EDGES = np.linspace(-3, 6, 601)         # of the bins on the x axis
WIDTH = EDGES[1] - EDGES[0]
X = (EDGES[1:] + EDGES[:-1]) / 2
P = np.exp(DATA.log_density(X[:, None]))
Z = np.linspace(-5, 5, 2001)            # ends of the slices of z
MASS = np.diff([0.5 * math.erfc(-z / math.sqrt(2)) for z in Z])
ARROWS = np.linspace(-2.4, 2.4, 17)
NAMES = ("(a) the start", "(b) D trained, G held", "(c) G trained, D held", "(d) the end")


@dataclass
class Moment:
    """What was to be seen after some number of updates of either net."""

    step: int
    q: np.ndarray       # (B,) density of the drawings, for each bin of X
    judged: np.ndarray  # (B,) D(x)
    tips: np.ndarray    # where the arrows end
    turns: bool         # does G turn round somewhere?
    best: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.best = P / np.maximum(P + self.q, 1e-30)

    @property
    def jsd(self) -> float:
        """JSD(p, q) in nats, by the sum over the bins."""
        middle = (P + self.q) / 2
        return float(sum(plogp(d, middle).sum() for d in (P, self.q)) * WIDTH / 2)

    @property
    def gap(self) -> float:
        """|D − D*|, averaged over the even mixture of data and drawings."""
        return float((np.abs(self.judged - self.best) * (P + self.q) / 2).sum() * WIDTH)

    @property
    def fooled(self) -> float:
        """The mean of D(G(z))."""
        return float((self.judged * self.q).sum() * WIDTH)

    @property
    def mean_and_spread(self) -> tuple[float, float]:
        """Of the drawings."""
        mean = float((X * self.q).sum() * WIDTH)
        return mean, float((((X - mean) ** 2) * self.q).sum() * WIDTH) ** 0.5


def main(out: Path, rounds: int = 8000, frames: int = 60) -> None:
    """Train, print the table, draw.

    rounds : of joint training between (c) and (d), one update of each net a round
    frames : of the animation
    """
    shown, film = train(rounds, frames)
    print("                        updates     JSD    |D - D*|   D(G(z))   D*(G(z))     mean   spread")
    for name, moment in zip(NAMES, shown, strict=True):
        by_best = float((moment.best * moment.q).sum() * WIDTH)
        print(
            f"{name:24}{moment.step:7,}{moment.jsd:8.4f}{moment.gap:11.3f}{moment.fooled:10.3f}{by_best:11.3f}"
            + "".join(f"{value:9.3f}" for value in moment.mean_and_spread)
        )
    mean = float(DATA.weights @ DATA.means[:, 0])
    spread = float(DATA.weights @ (DATA.stds**2 + (DATA.means[:, 0] - mean) ** 2)) ** 0.5
    print(f"{'the data':24}{'':46}{mean:9.3f}{spread:9.3f}")
    rises = sum(b.jsd > a.jsd for a, b in zip(film, film[1:], strict=False))
    print(f"log 2 = {math.log(2):.4f}; along the animation JSD rose {rises} times of {len(film) - 1}")
    print(f"G turns round in {sum(moment.turns for moment in film)} of {len(film)} moments")
    picture = plots.save(draw(shown, film), out / "four_panels.png")
    print(f"\n{picture} is drawn, and {animate(film, out / 'four_panels.gif')}")


def train(rounds: int, frames: int) -> tuple[list[Moment], list[Moment]]:
    """The moments (a) to (d), and those of the animation, close together at first."""
    rng = np.random.default_rng(SEED)
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    discriminator = dense((1, 32, 32, 1), rng=rng, activation=Tanh)
    model = GAN(generator, discriminator, code=1, output_range=None)
    optimizers = {
        "discriminator": Adam(discriminator.parameters(), Cosine(5e-3, AHEAD + rounds, 2e-4), BETAS),
        "generator": Adam(generator.parameters(), Cosine(5e-4, CLIMB + rounds, 2e-5), BETAS),
    }
    held = FIRST + AHEAD + CLIMB
    filmed = set(np.unique(np.linspace(0, held, frames // 3).astype(int)))
    filmed |= set(np.unique(held + np.geomspace(1, rounds, frames - frames // 3).astype(int)))
    shown, film = [], [look(model, 0)]
    for step in range(1, held + rounds + 1):
        x = DATA.sample(BATCH, rng=rng).astype(np.float32)
        if step <= FIRST + AHEAD:
            teach_discriminator(model, x, optimizers["discriminator"], rng)
        elif step <= held:
            teach_generator(model, optimizers["generator"], rng)
        else:
            model.train_step((x,), optimizers, rng)
        if step in (FIRST, FIRST + AHEAD, held, held + rounds):
            shown.append(look(model, step))
        if step in filmed:
            film.append(look(model, step))
    return shown, film


def teach_discriminator(model: GAN, x: np.ndarray, optimizer: Adam, rng: np.random.Generator) -> None:
    """One update of D; G is held, for its backward is not called."""
    optimizer.zero_grad()
    _, cache = model.discriminator_loss(x, model.prior_sample(len(x), rng=rng))
    model.discriminator_backward(cache)
    optimizer.step()


def teach_generator(model: GAN, optimizer: Adam, rng: np.random.Generator) -> None:
    """One update of G; D is held by generator_backward."""
    optimizer.zero_grad()
    _, cache = model.generator_loss(model.prior_sample(BATCH, rng=rng))
    model.generator_backward(cache)
    optimizer.step()


def look(model: GAN, step: int) -> Moment:
    """Both nets on the axis."""
    ends = model.inverse_transform(Z[:, None].astype(np.float32))[:, 0].astype(np.float64)
    judged = model.predict_real(X[:, None].astype(np.float32)).astype(np.float64)
    tips = model.inverse_transform(ARROWS[:, None].astype(np.float32))[:, 0]
    signs = np.sign(np.diff(ends[np.abs(Z) < 3]))
    return Moment(step, density_of(ends), judged, tips, bool(signs.min() < 0 < signs.max()))


def density_of(ends: np.ndarray) -> np.ndarray:
    """The density, for each bin of X, of what lies evenly between the ends of each slice, MASS in each."""
    low, length = np.minimum(ends[1:], ends[:-1]), np.maximum(np.abs(np.diff(ends)), 1e-9)
    below = np.clip((EDGES[:, None] - low) / length, 0, 1) @ MASS       # the distribution function at EDGES
    return np.diff(below) / WIDTH


def plogp(d: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """d·log(d / middle), which is 0 where d is."""
    some = d > 0
    return np.where(some, d * np.log(np.where(some, d, 1) / np.where(some, middle, 1)), 0)


def draw(shown: list[Moment], film: list[Moment]) -> Figure:
    """The four moments; below them JSD and D(G(z)) by the number of updates."""
    fig = plots.new_figure(6.2, title="Four moments of a GAN on a line")
    above, below = fig.subfigures(2, 1, height_ratios=(3.4, 2.4), squeeze=False)[:, 0]
    for ax, name, moment in zip(above.subplots(1, 4), NAMES, shown, strict=True):
        draw_moment(ax, moment)
        numbers = f"JSD {moment.jsd:.3f}, D(G(z)) {moment.fooled:.2f}"
        ax.set_title(f"{name}\n{numbers}", fontsize=9, color=plots.TEXT)
    colours = (colour for colour, _ in plots.LINES)
    handles = above.axes[0].get_lines()[:4]
    labels = ["p, data", "q, drawn", "D", "D* = p / (p + q)"]
    above.legend(handles, labels, ncols=4, loc="outside lower center", frameon=False, fontsize=9)
    ax = below.subplots()
    draw_course(ax, film, next(colours), next(colours))
    for mark, moment in zip("abcd", shown, strict=True):
        ax.axvline(moment.step, color=plots.GREY, linewidth=0.8, linestyle=":")
        side = {"b": "right", "c": "left"}.get(mark, "center")
        ax.text(moment.step, 1.03, f"({mark})", ha=side, fontsize=9, color=plots.TEXT)
    return fig


def draw_moment(ax: Any, moment: Moment) -> None:
    """Densities and D above, the axis of z with arrows to x below."""
    blue, orange, green = (colour for colour, _ in plots.LINES[:3])
    ax.plot(X, P, color=blue, linewidth=1.8)
    ax.plot(X, np.minimum(moment.q, 3), color=orange, linewidth=1.8)
    ax.plot(X, moment.judged, color=plots.TEXT, linewidth=1.4)
    ax.plot(X, moment.best, color=green, linewidth=1.4, linestyle="--")
    z = ARROWS + 1.5                                # below the middle of the axis of x
    from_z, to_x = np.full_like(z, -0.62), np.full_like(z, -0.15)
    ax.plot([z, moment.tips], [from_z, to_x], color=plots.GREY, linewidth=0.6)
    ax.plot(moment.tips, to_x, "^", color=plots.GREY, markersize=3.5, markeredgewidth=0)
    for height, name in ((-0.12, "x"), (-0.62, "z")):
        ax.axhline(height, color=plots.TEXT, linewidth=0.8)
        ax.text(5.0, height + 0.03, name, fontsize=9, color=plots.TEXT)
    ax.set(xlim=(-2, 5.2), ylim=(-0.7, 1.3), xticks=[0, 2, 4], yticks=[0, 0.5, 1])
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def draw_course(ax: Any, film: list[Moment], blue: str, orange: str) -> None:
    """JSD and D(G(z)) of every moment of the film, and the number of updates on a bent scale."""
    steps = [moment.step for moment in film]
    ax.plot(steps, [moment.jsd for moment in film], color=blue, linewidth=2, label="JSD(p, q), nats")
    ax.plot(steps, [moment.fooled for moment in film], color=orange, linewidth=1.6, label="mean of D(G(z))")
    ax.axhline(0.5, color=plots.GREY, linewidth=0.8, linestyle="--")
    ax.set_xscale("symlog", linthresh=200)
    ticks = [0, 100, 200, 500, 1000, 2000, 5000, 10000]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlim=(-5, steps[-1] * 1.1), ylim=(0, 1))
    ax.set_xlabel("updates: of one net until (c), of both after it", fontsize=9.5, color=plots.TEXT)
    ax.tick_params(labelsize=8.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(0.98, 0.95))


def animate(film: list[Moment], path: Path) -> Path:
    """Write the film as a GIF that runs for ever; the last moment stands still for a while."""
    from matplotlib.animation import PillowWriter

    fig = plots.new_figure(6.0)
    fig.set_size_inches(5.2, 5.0)
    writer = PillowWriter(fps=8)
    with writer.saving(fig, path, dpi=90):
        for number in [*range(len(film)), *[len(film) - 1] * 12]:
            fig.clear()
            moment = film[number]
            top, bottom = fig.subplots(2, 1, height_ratios=(3, 1.5))
            draw_moment(top, moment)
            top.set_title(
                f"update {moment.step:,}: JSD {moment.jsd:.3f}, D(G(z)) {moment.fooled:.2f}",
                fontsize=10, color=plots.TEXT, loc="left",
            )
            draw_course(bottom, film, *(colour for colour, _ in plots.LINES[:2]))
            bottom.axvline(moment.step, color=plots.TEXT, linewidth=1)
            writer.grab_frame()
    return path


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
