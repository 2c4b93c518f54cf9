"""The gradient cases of GANs, which have two losses: one for each of the two players."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import Example
from scratchgen.gradcheck.checker import KINKED, SMOOTH, check_model
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import (
    Conv2d,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    SpectralNorm,
    Tanh,
)
from scratchgen.models.gan import DCGAN, GAN, WGAN, ConditionalGAN, InfoGAN
from scratchgen.models.gan.gradient_penalty import gradient_penalty
from scratchgen.models.gan.objectives import OBJECTIVES
from scratchgen.models.networks import dense
from scratchgen.module import Module, Parameter


class Turn(Module):
    """A model with the parameters and the loss of one player; the other player is frozen."""

    def __init__(self, game: GAN, player: str, player_backward: Callable[[Any], Any]):
        self.game, self.player, self.player_backward = game, player, player_backward

    def parameters(self) -> dict[str, Parameter]:
        return {name: p for name, p in self.game.parameters().items() if name.startswith(self.player)}

    def backward(self, cache: Any) -> Any:
        return self.player_backward(cache)


@dataclass(frozen=True)
class GameCase:
    """A game and the shape of its data, which lies within [0, 1]; classes : the number of labels, or 0."""

    name: str
    build: Callable[[np.random.Generator, Any], GAN]    # (rng, dtype) -> game
    shape: tuple[int, int]
    smooth: bool = True
    classes: int = 0

    def make(self) -> tuple[GAN, tuple[np.ndarray, ...], np.random.Generator]:
        """Return the game in float64, real examples with their labels if it takes any, and a generator."""
        rng = np.random.default_rng(20)
        game, x = self.build(rng, np.float64), rng.uniform(size=self.shape)
        # With biases of 0, real and generated examples would lie on the same side of every kink, and the
        # gradient of a critic's bias would be the difference of two equal numbers.
        for p in game.parameters().values():
            p.value += 0.5 * rng.standard_normal(p.shape)
        for module in game.modules():
            if isinstance(module, SpectralNorm):
                module.converge()       # the gradient is exact for converged singular vectors
        labels = (rng.integers(self.classes, size=len(x)),) if self.classes else ()
        return game, (x, *labels), rng

    def run(self) -> list[Result]:
        """Check each player's loss along random lines of its parameters, and the gradient penalty."""
        game, (x, *labels), rng = self.make()
        z, u = game.prior_sample(len(x), rng=rng), rng.random((len(x), 1))
        more = {"y": labels[0]} if labels else {}
        real = {"x": x} if OBJECTIVES[game.objective].uses_real else {}
        losses: dict[str, Callable[[], tuple[float, Any]]] = {
            "discriminator": lambda: game.discriminator_loss(x, z, **more),
            "generator": lambda: game.generator_loss(z, **more, **real),
        }
        backwards: dict[str, Any] = {
            "discriminator": game.discriminator_backward,
            "generator": game.generator_backward,
        }
        results = []
        how: dict[str, Any] = {"rng": rng, "tolerance": SMOOTH if self.smooth else KINKED}
        for player, loss in losses.items():
            found = check_model(Turn(game, player, backwards[player]), loss, **how)
            found[-1] = replace(found[-1], what=f"{player}: {found[-1].what}")  # "all parameters"
            results += found
        if isinstance(game, WGAN) and game.penalty is not None:
            results += _check_penalty(game, game.penalty, x, z, u, how)
        return results


def _check_penalty(
    game: WGAN, weight: float, x: np.ndarray, z: np.ndarray, u: np.ndarray, how: dict[str, Any]
) -> list[Result]:
    critic, between = game.discriminator, game.discriminator_loss(x, z, u)[1].between
    assert between is not None

    def loss() -> tuple[float, None]:
        with critic.frozen():
            return gradient_penalty(critic, between, weight)[0], None

    turn = Turn(game, "discriminator", lambda cache: gradient_penalty(critic, between, weight))
    return [replace(r, what=f"penalty: {r.what}") for r in check_model(turn, loss, **how)]


def _smooth_gan(rng: np.random.Generator, dtype: Any, **settings: Any) -> GAN:
    generator = dense((3, 5, 7), rng=rng, activation=Tanh, dtype=dtype)
    discriminator = dense((7, 6, 1), rng=rng, activation=Tanh, dtype=dtype)
    return GAN(generator, discriminator, code=3, **settings)


def _conv_wgan(rng: np.random.Generator, dtype: Any) -> WGAN:
    net_args: dict[str, Any] = {"rng": rng, "dtype": dtype}
    critic = Sequential(
        Reshape(5, 4, 1),
        Conv2d(1, 3, (3, 2), stride=(2, 1), padding=1, **net_args),
        LeakyReLU(0.2),
        Sequential(Conv2d(3, 2, 2, bias=False, **net_args), ReLU(), Flatten()),
        Linear(2 * 2 * 4, 1, **net_args),
    )
    return WGAN(dense((3, 7, 20), activation=Tanh, **net_args), critic, code=3, penalty=10.0)


MODELS = (
    *(
        GameCase(
            f"GAN {objective}",
            functools.partial(_smooth_gan, objective=objective),
            (5, 7),
            smooth=objective != "hinge",
        )
        for objective in OBJECTIVES
    ),
    GameCase(
        "GAN hinge, with spectral normalisation",
        lambda rng, dtype: GAN.dense(
            3, (6, 6), 9, dropout=0, objective="hinge", spectral_norm=True, rng=rng, dtype=dtype
        ),
        (5, 9),
        smooth=False,
    ),
    GameCase(
        "ConditionalGAN dense",
        lambda rng, dtype: ConditionalGAN.dense(3, (6, 6), 9, classes=3, dropout=0, rng=rng, dtype=dtype),
        (5, 9),
        smooth=False,
        classes=3,
    ),
    GameCase(
        "ConditionalGAN dense, projection, relativistic",
        lambda rng, dtype: ConditionalGAN.dense(
            3, (6, 6), 9, classes=3, projection=True, dropout=0, objective="relativistic",
            rng=rng, dtype=dtype,
        ),
        (5, 9),
        smooth=False,
        classes=3,
    ),
    GameCase(
        "ConditionalGAN convolutional",
        lambda rng, dtype: ConditionalGAN.convolutional(
            4, (2, 3), shape=(8, 8, 1), classes=3, rng=rng, dtype=dtype
        ),
        (4, 64),
        smooth=False,
        classes=3,
    ),
    GameCase(
        "ConditionalGAN convolutional, hinge, spectral norm",
        lambda rng, dtype: ConditionalGAN.convolutional(
            4, (2, 3), hidden=5, shape=(8, 8, 1), classes=3, projection=True, objective="hinge",
            spectral_norm=True, rng=rng, dtype=dtype,
        ),
        (4, 64),
        smooth=False,
        classes=3,
    ),
    GameCase(
        "InfoGAN dense",
        lambda rng, dtype: InfoGAN.dense(
            8, (6, 6), 9, categories=(3,), continuous=2, head=4, dropout=0, weight=0.7, rng=rng, dtype=dtype
        ),
        (5, 9),
        smooth=False,
    ),
    GameCase(
        "InfoGAN convolutional, two categories, relativistic",
        lambda rng, dtype: InfoGAN.convolutional(
            8, (2, 3), hidden=5, shape=(8, 8, 1), categories=(3, 2), continuous=1, head=4,
            objective="relativistic", rng=rng, dtype=dtype,
        ),
        (4, 64),
        smooth=False,
    ),
    GameCase(
        "GAN dense",
        lambda rng, dtype: GAN.dense(3, (6, 6), 9, dropout=0, rng=rng, dtype=dtype),
        (5, 9),
        smooth=False,
    ),
    GameCase(
        "GAN dense, output in (-1, 3)",
        lambda rng, dtype: GAN.dense(
            3, (6, 4), 9, dropout=0, rng=rng, dtype=dtype, output_range=(-1.0, 3.0)
        ),
        (5, 9),
        smooth=False,
    ),
    GameCase(
        "DCGAN", lambda rng, dtype: DCGAN(4, (2, 3), rng=rng, dtype=dtype), (3, 784), smooth=False
    ),
    GameCase(
        "DCGAN with hidden layers",
        lambda rng, dtype: DCGAN(4, (2, 3), hidden=5, rng=rng, dtype=dtype),
        (3, 784),
        smooth=False,
    ),
    GameCase(
        "WGAN clipped",
        lambda rng, dtype: WGAN.dense(3, (6, 6), 9, rng=rng, dtype=dtype),
        (5, 9),
        smooth=False,
    ),
    GameCase(
        "WGAN dense, penalised",
        lambda rng, dtype: WGAN.dense(3, (6, 6), 9, rng=rng, dtype=dtype, penalty=10.0),
        (5, 9),
        smooth=False,
    ),
    GameCase("WGAN convolutional, penalised", _conv_wgan, (3, 20), smooth=False),
    GameCase(
        "WGAN convolutional with hidden layers, penalised",
        lambda rng, dtype: WGAN.convolutional(4, (2, 3), hidden=5, penalty=10.0, rng=rng, dtype=dtype),
        (3, 784),
        smooth=False,
    ),
)

EXAMPLES = (
    Example(
        "ConditionalGAN",
        lambda rng: ConditionalGAN.dense(3, (5, 4), 6, classes=3, rng=rng),
        fit={"epochs": 1, "batch_size": 4},
        classes=3,
        given_labels=True,
    ),
    Example(
        "DCGAN",
        lambda rng: DCGAN(3, (2, 3), shape=(8, 8, 1), rng=rng),
        (24, 64),
        {"epochs": 1, "batch_size": 4},
    ),
    Example("GAN", lambda rng: GAN.dense(3, (5, 4), 6, rng=rng), fit={"epochs": 1, "batch_size": 4}),
    Example(
        "InfoGAN",
        lambda rng: InfoGAN.dense(7, (5, 4), 6, categories=(3,), continuous=1, head=4, rng=rng),
        fit={"epochs": 1, "batch_size": 4},
    ),
    Example(
        "WGAN",
        lambda rng: WGAN.dense(3, (5, 4), 6, penalty=10.0, k=2, rng=rng),
        fit={"epochs": 1, "batch_size": 4},
    ),
)
