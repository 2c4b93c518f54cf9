"""Where minimax and JSD have no slope left: the pull on a generator, by its distance and by D's training.

First two Normals, d apart. The generator only shifts, x = z + d, so the gradient at its bias *is* the pull on
d. Minimax with the best D pulls with the slope of 2·JSD, which dies with e^(−d²/8). Non-saturating pulls with
d if D is the best, with 2 at most if it is learnt, and less again from d = 4 on, where that D has gone flat.
A Wasserstein critic pulls with about 1 at any distance, and its estimate is the distance.

Then a generator that is a network, at its start, while D trains: the norm of its gradient under each loss.
The last table trains on from there. By plain gradient descent minimax stays where it was. By Adam it arrives:
Adam divides a gradient by its own size, so a small one is no obstacle as long as its direction is right.

At d = 8 and beyond, 5,000 drawings hold hardly one where the best D is in doubt, and the pull of minimax
that they give is smaller still than the slope by quadrature. The critic's pull and estimate are a little
high: by d/2λ of it, as for two points, with the penalty's weight λ = 30.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Layer, LeakyReLU, Linear, Tanh
from scratchgen.models import GAN, WGAN
from scratchgen.models.networks import dense
from scratchgen.training.optimisers import SGD, Adam, Optimizer
from scratchgen.training.schedules import Cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
BATCH = 256
BETAS = (0.5, 0.999)
FAR = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
DATA = GaussianMixture1D((1.0,), (3.0,), (0.5,))        # for the generator that is a network
LOOKS = (0, 3, 10, 30, 100, 300, 1000)                  # updates of D at which the gradient is measured
LOSSES = ("minimax", "non-saturating", "Wasserstein")


class Straight(Layer):
    """The best discriminator between N(0, 1) and N(d, 1): a logit of d²/2 − d·x."""

    def __init__(self, d: float):
        self.d = d

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, None]:
        return self.d**2 / 2 - self.d * x, None

    def backward(self, dout: np.ndarray, cache: None, input_grad: bool = True) -> np.ndarray:
        return -self.d * dout


def main(out: Path, updates: int = 700, rounds: int = 1500, seeds: int = 3) -> None:
    """Measure, print the tables, draw.

    updates : of a discriminator or critic, for each distance
    rounds  : of training after D went ahead
    seeds   : runs whose first gradients are averaged
    """
    rng = np.random.default_rng(SEED)
    print("The pull on the shift d, of N(d, 1) towards N(0, 1)")
    print("                  slope of  minimax   minimax    non-sat.  non-sat.  Wasserstein:   critic's")
    print("    d      JSD     2·JSD    best D    learnt D    best D   learnt D     exact    estimate    pull")
    table = []
    for d in FAR:
        jsd, slope = jensen_shannon(d), (jensen_shannon(d + 1e-3) - jensen_shannon(d - 1e-3)) / 1e-3
        pulls = [pull(shifted(d, Straight(d), objective)) for objective in LOSSES[:2]]
        learnt = learn_discriminator(d, updates, rng)
        for objective in LOSSES[:2]:
            learnt.objective = objective
            pulls.append(pull(learnt))
        critic, estimate = learn_critic(d, updates, rng)
        table.append([jsd, slope, pulls[0], pulls[2], pulls[1], pulls[3], d, estimate, pull(critic)])
        jsd, slope, *others, exact, estimate, by_critic = table[-1]
        print(f"{d:5.1f}{jsd:10.4f}{slope:10.1e}" + "".join(f"{value:10.1e}" for value in others)
              + f"{exact:12.2f}{estimate:11.2f}{by_critic:10.2f}")

    norms = {loss: early_norms(loss, seeds) for loss in LOSSES}
    print("\nNorm of the gradient of a generator at its start (1-16-16-1), after so many updates of D alone")
    print(f"{'':15}" + "".join(f"{n:10,}" for n in LOOKS))
    for loss, values in norms.items():
        print(f"{loss:15}" + "".join(f"{value:10.1e}" for value in values))

    print(f"\nD {LOOKS[-1]:,} updates ahead, then {rounds:,} rounds; data of mean 3, spread 0.5")
    print("                      G(z): mean  spread")
    for method in ("SGD", "Adam"):
        for objective in LOSSES[:2]:
            mean, spread = train_on(objective, method, rounds)
            print(f"{method + ', ' + objective:22}{mean:8.3f}{spread:8.3f}")
    picture = plots.save(draw(np.array(table), norms), out / "saturation.png")
    print(f"\n{picture} is drawn")


def jensen_shannon(d: float) -> float:
    """JSD of N(0, 1) and N(d, 1) by quadrature."""
    x = np.linspace(-10, 10 + d, 20_001)
    logs = np.stack([-(x**2) / 2, -((x - d) ** 2) / 2]) - 0.5 * math.log(2 * math.pi)
    middle = np.logaddexp(*logs) - math.log(2)
    return float(np.trapezoid((np.exp(logs) * (logs - middle)).sum(axis=0), x)) / 2


def shifted(d: float, discriminator: Layer, objective: str = "minimax") -> GAN:
    """A game whose generator is x = z + d."""
    return GAN(shift(d), discriminator, code=1, objective=objective, output_range=None)


def shift(d: float) -> Linear:
    generator = Linear(1, 1, rng=np.random.default_rng(SEED), dtype=np.float64)
    generator.weight.value[...], generator.bias.value[...] = 1, d
    return generator


def pull(model: GAN) -> float:
    """dloss_G/dd, the gradient at the shift, over 5,000 draws that are the same each time."""
    model.generator.zero_grad()
    _, cache = model.generator_loss(np.random.default_rng(SEED).standard_normal((5000, 1)))
    model.generator_backward(cache)
    return float(model.generator.parameters()["bias"].grad[0])


def learn_discriminator(d: float, updates: int, rng: np.random.Generator) -> GAN:
    """A discriminator trained against a shift that is held."""
    model = shifted(d, dense((1, 32, 32, 1), rng=rng, activation=Tanh, dtype=np.float64))
    optimizer = Adam(model.discriminator.parameters(), Cosine(5e-3, updates, 1e-4), BETAS)
    for _ in range(updates):
        teach(model, rng.standard_normal((BATCH, 1)), optimizer, rng)
    return model


def learn_critic(d: float, updates: int, rng: np.random.Generator) -> tuple[WGAN, float]:
    """A critic trained against a shift that is held, and the distance that it estimates.

    The weight of the penalty starts small: on a line a slope can only change its sign through 0, and a heavy
    penalty would hold it to the sign that it began with.
    """
    critic = dense((1, 32, 32, 1), rng=rng, activation=LeakyReLU, dtype=np.float64)
    model = WGAN(shift(d), critic, code=1, penalty=0.1, output_range=None)
    optimizer = Adam(critic.parameters(), Cosine(1e-2, updates, 1e-4), (0.5, 0.9))
    for step in range(updates):
        model.penalty = 0.1 if step < 0.3 * updates else 30.0
        teach(model, rng.standard_normal((BATCH, 1)), optimizer, rng)
    x, z = (np.random.default_rng(seed).standard_normal((20_000, 1)) for seed in (2, 3))
    return model, -model.discriminator_loss(x, z)[0]


def teach(model: GAN, x: np.ndarray, optimizer: Optimizer, rng: np.random.Generator) -> None:
    """One update of D or of the critic; G is held."""
    optimizer.zero_grad()
    z = model.prior_sample(len(x), rng=rng)
    if isinstance(model, WGAN):
        _, cache = model.discriminator_loss(x, z, rng.random((len(x), 1)).astype(x.dtype))
    else:
        _, cache = model.discriminator_loss(x, z)
    model.discriminator_backward(cache)
    optimizer.step()


def networks(loss: str, rng: np.random.Generator) -> GAN:
    """A game of two networks, on one of the three losses."""
    generator = dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    discriminator = dense((1, 32, 32, 1), rng=rng, activation=LeakyReLU if loss == LOSSES[2] else Tanh)
    if loss == LOSSES[2]:
        return WGAN(generator, discriminator, code=1, penalty=10.0, output_range=None)
    return GAN(generator, discriminator, code=1, objective=loss, output_range=None)


def early_norms(loss: str, seeds: int) -> np.ndarray:
    """The norm of G's first gradient after each number of updates of D in LOOKS; geometric mean of seeds."""
    logs = np.zeros(len(LOOKS))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        model = networks(loss, rng)
        optimizer = Adam(model.discriminator.parameters(), 5e-3, BETAS)
        norm = Adam(model.generator.parameters(), 0.0).grad_norm
        for step in range(LOOKS[-1] + 1):
            if step in LOOKS:
                model.generator.zero_grad()
                _, cache = model.generator_loss(model.prior_sample(2000, rng=np.random.default_rng(seed)))
                model.generator_backward(cache)
                logs[LOOKS.index(step)] += math.log(norm()) / seeds
            teach(model, DATA.sample(BATCH, rng=rng).astype(np.float32), optimizer, rng)
    return np.exp(logs)


def train_on(objective: str, method: str, rounds: int) -> tuple[float, float]:
    """Let D go ahead, then train both, G by the method; mean and spread of the drawings."""
    rng = np.random.default_rng(SEED)
    model = networks(objective, rng)
    parameters = model.generator.parameters()
    optimizers = {
        "discriminator": Adam(model.discriminator.parameters(), 5e-3, BETAS),
        "generator": SGD(parameters, 0.01) if method == "SGD" else Adam(parameters, 5e-4, BETAS),
    }
    for _ in range(LOOKS[-1]):
        teach(model, DATA.sample(BATCH, rng=rng).astype(np.float32), optimizers["discriminator"], rng)
    for _ in range(rounds):
        model.train_step((DATA.sample(BATCH, rng=rng).astype(np.float32),), optimizers, rng)
    drawn = model.sample(5000, rng=rng)
    return float(drawn.mean()), float(drawn.std())


def draw(table: np.ndarray, norms: dict[str, np.ndarray]) -> Figure:
    """The pull by distance; the norm of G's first gradient by D's training. All axes but d logarithmic."""
    fig = plots.new_figure(4.6, title="The pull on a generator: minimax, non-saturating, Wasserstein")
    left, right = fig.subplots(1, 2)
    columns = dict(zip(LOSSES, ((1, 3), (4, 5), (None, 8)), strict=True))
    for (colour, marker), (loss, (best, learnt)) in zip(plots.LINES, columns.items(), strict=False):
        exact = np.ones(len(FAR)) if best is None else table[:, best]
        left.semilogy(FAR, exact, color=colour, linewidth=1.2, linestyle="--")
        learnt_pull = table[:, learnt]
        left.semilogy(FAR, learnt_pull, color=colour, marker=marker, markersize=5, linewidth=1.8, label=loss)
    left.set_ylim(1e-8, 1e2)
    left.set_title("pull on d, N(d, 1) to N(0, 1); dashed: best D or f", fontsize=10, color=plots.TEXT)
    left.set_xlabel("d", fontsize=10, color=plots.TEXT)
    left.legend(frameon=False, fontsize=9, loc="lower left")
    for (colour, marker), (loss, values) in zip(plots.LINES, norms.items(), strict=False):
        right.plot(values, color=colour, marker=marker, markersize=5, linewidth=1.8, label=loss)
    right.set_yscale("log")
    right.set_xticks(range(len(LOOKS)), [f"{n:,}" for n in LOOKS])
    right.minorticks_off()
    right.set_title("norm of a network G's first gradient", fontsize=10, color=plots.TEXT)
    right.set_xlabel("updates of D (or of the critic) before it", fontsize=10, color=plots.TEXT)
    for ax in (left, right):
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.tick_params(labelsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
