"""The losses of one training step, each with its backward pass: one for most models, more for a GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchgen.models.base import Model
from scratchgen.models.diffusion import Diffusion
from scratchgen.models.diffusion.base import DenoisingModel
from scratchgen.models.gan import WGAN
from scratchgen.models.gan.game import Game
from scratchgen.models.gan.gradient_penalty import gradient_penalty
from scratchgen.module import Parameter


@dataclass(frozen=True)
class Plan:
    """A loss and its backward pass. Every call of `loss` computes with the same random numbers.

    inputs : the arguments of the loss that are shown, by name
    parameters : those that this loss trains, by name
    together : whether `loss` computes the gradients of the parameters as well, as the gradient penalty does
    """

    name: str
    title: str
    inputs: Mapping[str, Any]
    loss: Callable[[], tuple[float, Any]]
    backward: Callable[[Any], Any]
    parameters: Mapping[str, Parameter]
    together: bool = False


def plans(model: Model, batch: tuple, seed: int) -> list[Plan]:
    """The losses of one training step on a batch, in order. The model is in float64."""
    if isinstance(model, Game):
        return _game_plans(model, list(batch), np.random.default_rng(seed))
    arguments = model.prepare(batch, np.random.default_rng(seed))
    title = "One loss"
    if isinstance(model, DenoisingModel):
        arguments, title = _at_one_level(model, arguments)
    names = _argument_names(model.loss, len(arguments))
    inputs = {n: a for n, a in zip(names, arguments, strict=False) if a is not None}

    def loss() -> tuple[float, Any]:
        return model.loss(*arguments, rng=np.random.default_rng(seed + 1), training=True)

    return [Plan("loss", title, inputs, loss, model.backward, model.parameters())]


def _at_one_level(model: DenoisingModel, arguments: tuple) -> tuple[tuple, str]:
    """The arguments of the loss with the same noise level for all examples, and what to call it."""
    first, noise, t, *labels = arguments
    middle = model.steps // 2 if isinstance(model, Diffusion) else 0.5
    level = f"step t = {middle} of {model.steps}" if isinstance(model, Diffusion) else f"time t = {middle:g}"
    return (first, noise, np.full_like(t, middle), *labels), f"One loss, with all examples at {level}"


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the positional arguments of a method."""
    code = function.__func__.__code__ if hasattr(function, "__func__") else function.__code__
    return list(code.co_varnames[1 : count + 1])


def _game_plans(game: Game, batch: list[np.ndarray], rng: np.random.Generator) -> list[Plan]:
    """The discriminator's turn, the gradient penalty if there is one, and the generator's turn."""
    inputs = game._discriminator_inputs(batch, rng)
    u = inputs.pop("u", None)
    of_generator = game._generator_inputs(batch, rng)
    player = "critic" if isinstance(game, WGAN) else "discriminator"
    found = [
        Plan(
            player, f"The turn of the {player}; the generator only produces examples",
            inputs, lambda: game.discriminator_loss(**inputs), game.discriminator_backward,
            game.discriminator.parameters(),
        )
    ]  # fmt: skip
    if u is not None and isinstance(game, WGAN) and game.penalty is not None:
        found.append(_penalty_plan(game, game.penalty, inputs["x"], u, inputs["z"]))
    title = f"The turn of the generator; the {player} is frozen and passes the gradient on"
    found.append(
        Plan(
            "generator", title, of_generator, lambda: game.generator_loss(**of_generator),
            game.generator_backward, game.generator.parameters(),
        )
    )  # fmt: skip
    return found


def _penalty_plan(game: WGAN, weight: float, x: np.ndarray, u: np.ndarray, z: np.ndarray) -> Plan:
    between = game.discriminator_loss(x, z=z, u=u)[1].between
    assert between is not None
    critic: Any = game.discriminator
    return Plan(
        "penalty", "The gradient penalty: a backward pass, and a second one through the first",
        {"x̂": between}, lambda: gradient_penalty(critic, between, weight), lambda cache: None,
        critic.parameters(), together=True,
    )  # fmt: skip

