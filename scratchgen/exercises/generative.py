"""Exercises on the losses and layers of generative models."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from scratchgen.exercises.kinds import all_of, of_function, of_layer, of_model, of_values
from scratchgen.exercises.spec import Check, Equation, Exercise
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import Layer, Linear, Sequential, Tanh
from scratchgen.module import Module

COUPLING = "scratchgen.layers.coupling"
FLOWS = "docs/flows.md"
DIFFUSION = "docs/diffusion.md"


def _conditioner(outputs: int, rng: Any, dtype: Any) -> Sequential:
    return Sequential(Linear(2, 3, rng=rng, dtype=dtype), Tanh(), Linear(3, outputs, rng=rng, dtype=dtype))


def _affine_coupling(names: Any, rng: Any, dtype: Any) -> Any:
    from scratchgen.models.flow.cases import WithLogDet

    return WithLogDet(names.AffineCoupling(_conditioner(4, rng, dtype), "first", bound=0.8))


def _masked_linear(names: Any, rng: Any, dtype: Any) -> Any:
    mask = np.arange(4)[:, None] <= np.arange(3)
    return names.MaskedLinear(4, 3, mask, rng=rng, dtype=dtype)


def _residual_block(names: Any, rng: Any, dtype: Any) -> Any:
    from scratchgen.models.diffusion.cases import WithEmbedding

    block = names.ResidualBlock.image(2, 2, 3, groups=1, rng=rng, dtype=dtype)
    return WithEmbedding(block, (2, 2, 2))


def _time_embedding(names: Any, rng: Any, dtype: Any) -> Any:
    from scratchgen.models.diffusion.cases import OfColumn

    return OfColumn(names.TimeEmbedding(4))


def _game(objective: str) -> Check:
    """Check both players of a GAN."""

    def check(names: SimpleNamespace) -> list[Result]:
        from scratchgen.models.gan.cases import GameCase
        from scratchgen.models.networks import dense

        def build(rng: Any, dtype: Any) -> Any:
            players = (dense(sizes, rng=rng, activation=Tanh, dtype=dtype) for sizes in ((2, 3, 4), (4, 3, 1)))
            return names.GAN(*players, code=2, objective=objective)

        return GameCase("", build, (3, 4)).run()

    return check


def _losses_of_game(names: SimpleNamespace) -> dict[str, np.ndarray]:
    from scratchgen.models.networks import dense

    found = {}
    for objective in ("non-saturating", "minimax"):
        rng = np.random.default_rng(20)
        players = [
            dense(sizes, rng=rng, activation=Tanh, dtype=np.float64) for sizes in ((2, 3, 4), (4, 3, 1))
        ]
        game = names.GAN(*players, code=2, objective=objective)
        z, x = rng.standard_normal((3, 2)), rng.uniform(size=(3, 4))
        found[f"{objective}: the generator's loss"] = np.array(game.generator_loss(z)[0])
        found[f"{objective}: the discriminator's loss"] = np.array(game.discriminator_loss(x, z)[0])
    return found


def _library(module: str, *names: str) -> Callable[[], SimpleNamespace]:
    """A function that returns names of a module of the library."""

    def right() -> SimpleNamespace:
        from importlib import import_module

        found = import_module(module)
        return SimpleNamespace(**{name: getattr(found, name) for name in names})

    return right


class Penalised(Module):
    """A critic whose backward is that of its gradient penalty."""

    def __init__(self, critic: Layer, penalty_backward: Callable[[Any], Any]):
        self.critic, self.penalty_backward = critic, penalty_backward

    def backward(self, cache: Any) -> Any:
        return self.penalty_backward(cache)


def _penalty(names: SimpleNamespace) -> list[Result]:
    """Check the gradient penalty of a small critic, and the slope that it returns."""
    from scratchgen.gradcheck.checker import KINKED, check_model
    from scratchgen.layers import LeakyReLU
    rng = np.random.default_rng(20)
    net: dict[str, Any] = {"rng": rng, "dtype": np.float64}
    critic = Sequential(Linear(3, 4, **net), LeakyReLU(0.2), Linear(4, 1, **net))
    x = rng.standard_normal((3, 3))

    def loss() -> tuple[float, None]:
        with critic.frozen():
            return names.gradient_penalty(critic, x, 10.0)[0], None

    turn = Penalised(critic, lambda cache: names.gradient_penalty(critic, x, 10.0))
    return check_model(turn, loss, rng=rng, tolerance=KINKED)


def _penalty_values(names: SimpleNamespace) -> dict[str, np.ndarray]:
    from scratchgen.layers import LeakyReLU

    rng = np.random.default_rng(21)
    net: dict[str, Any] = {"rng": rng, "dtype": np.float64}
    critic = Sequential(Linear(3, 4, **net), LeakyReLU(0.2), Linear(4, 1, **net))
    penalty, slope = names.gradient_penalty(critic, rng.standard_normal((3, 3)), 10.0)
    return {"penalty": np.array(penalty), "slope g": slope}


def _denoiser(name: str, **settings: Any) -> Callable[[Any, Any, Any], Any]:
    def build(names: Any, rng: Any, dtype: Any) -> Any:
        from scratchgen.layers.time_network import ResidualNet

        net = ResidualNet(2, 4, blocks=1, embedding=4, rng=rng, dtype=dtype)
        return getattr(names, name)(net, 2, **settings)

    return build


def _denoising_loss(name: str, **settings: Any) -> Callable[[SimpleNamespace], dict[str, np.ndarray]]:
    """The loss at a fixed batch, which also shows mistakes that the forward and backward pass have in common."""

    def compute(names: SimpleNamespace) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(20)
        model = _denoiser(name, **settings)(names, rng, np.float64)
        for p in model.parameters().values():
            p.value += 0.3 * rng.standard_normal(p.shape)
        return {"loss": np.array(model.loss(rng.standard_normal((5, 2)), rng=rng)[0])}

    return compute


EXERCISES = (
    Exercise(
        "kl", "the KL divergence of two normal distributions", "scratchgen.distributions",
        ("Normal.kl", "Normal.kl_grad"),
        (
            Equation(
                "NORM.6", "Normal.kl_grad",
                "(NORM.5) is ½·[(mu − m)² + std² − 1 − logvar] with std² = exp(logvar). Differentiate it for mu and for "
                "logvar, with everything under the ½. Return the pair (dmu, dlogvar).",
            ),
        ),
        of_function(
            lambda names, mu, logvar: names.Normal.kl(mu, logvar, 0.3),
            lambda names, mu, logvar: names.Normal.kl_grad(mu, logvar, 0.3),
            {"mu": (4, 3), "logvar": (4, 3)},
        ),
        "docs/distributions.md",
        "The divergence of N(mu, std²) from N(m, 1) is a sum over the entries, so each entry can be differentiated "
        "alone. Keep in mind that logvar is the logarithm of std².",
        ("Normal",),
        note="m is prior_mean, and std² is exp(logvar). np.expm1(a) is eᵃ − 1, with full precision for small a.",
    ),
    Exercise(
        "vae", "the gradient through a random sample", "scratchgen.models.vae.model",
        ("VAE.loss", "VAE.backward"),
        (
            Equation(
                "VAE.5", "VAE.backward",
                "The gradient of the decoder's input, as in (AE.5). self.decoder.backward(…) takes the gradient of its "
                "output and its cache.",
            ),
            Equation(
                "VAE.7", "VAE.backward",
                "mu is used twice: in z = mu + std·eps, and in the KL. The loss has beta·KL averaged over the batch of n, "
                "and dkl_dmu is the gradient of the KL's sum.",
            ),
            Equation(
                "VAE.8", "VAE.backward",
                "logvar is used twice, too. In z it is inside std = exp(½·logvar), whose slope is ½·std; eps is constant.",
            ),
        ),
        of_model(lambda names, rng, dtype: names.VAE.dense((5, 4, 2), rng=rng, dtype=dtype, beta=0.6), (4, 5)),
        "docs/vae.md",
        "Given the noise eps, z = mu + std·eps is an ordinary function of mu and logvar. So the gradient of the decoder's "
        "loss goes through z, and the gradient of the KL is added.",
        ("VAE",),
        note="dkl_dmu and dkl_dlogvar are the gradients of the sum of all KL terms, (NORM.6). The decoder of a VAE has "
        "only z as input, so a slice is not needed.",
    ),
    Exercise(
        "gan", "two losses of two players", "scratchgen.models.gan.model",
        ("GAN.discriminator_loss", "GAN.discriminator_backward", "GAN.generator_loss", "GAN.generator_backward"),
        (
            Equation(
                "GAN.3", "GAN.discriminator_loss",
                "bce_with_logits(logits, target) returns −log p of the targets, averaged, and its gradient. Real examples "
                "have the target 1, as in the line above. Which one do generated examples have?",
            ),
            Equation(
                "GAN.4", "GAN.generator_loss",
                "In the minimax game G maximises what D minimises. The line above has computed D's loss and gradient for "
                "generated examples.",
            ),
            Equation(
                "GAN.5", "GAN.generator_loss",
                "The non-saturating loss is small where D takes the generated examples for real ones: the cross-entropy "
                "with the target that D uses for real examples.",
            ),
            Equation(
                "GAN.6", "GAN.generator_backward",
                "The gradient of the generated images comes from D's backward pass, with the cache of D's forward pass.",
            ),
        ),
        all_of(
            loss=of_values(_losses_of_game, _library("scratchgen.models.gan.model", "GAN")),
            non_saturating=_game("non-saturating"),
            minimax=_game("minimax"),
        ),
        "docs/gan.md",
        "Both losses are binary cross-entropies of D's logits, with target 1 or 0. The generator's gradient first goes "
        "through D, whose weights do not change in this step.",
        ("GAN",),
        note="The blanks are in the losses as well, so the check also compares the losses with the library's.",
    ),
    Exercise(
        "wgan-gp", "the gradient of a gradient", "scratchgen.models.gan.gradient_penalty",
        ("gradient_penalty",),
        (
            Equation(
                "GP.3", "gradient_penalty",
                "The gradient of the critic's output for its input is a backward pass that starts with ones: each layer's "
                "backward takes the adjoint at its output and returns the one at its input.",
            ),
            Equation(
                "GP.2", "gradient_penalty",
                "P is the mean of λ·(‖g‖ − 1)² over examples. The derivative of ‖g‖ for g is g / ‖g‖, which is called "
                "direction here. weight is λ, len(g) is N.",
            ),
            Equation(
                "GP.5", "gradient_penalty",
                "tangent_backward(layer, a, tangent) adds a layer's weight gradient: a is the adjoint at its output, "
                "tangent the one at its input.",
            ),
            Equation(
                "GP.4", "gradient_penalty",
                "The tangent goes through the layers in the forward direction: layer.jvp(tangent, cache) multiplies it by "
                "the layer's Jacobian.",
            ),
        ),
        all_of(
            value=of_values(
                _penalty_values, _library("scratchgen.models.gan.gradient_penalty", "gradient_penalty")
            ),
            gradient=_penalty,
        ),
        "docs/wgan.md",
        "The penalty depends on the weights through g, the critic's gradient at x. Write ⟨v, g⟩ as a product along the "
        "network, with v pushed forward and the adjoints pulled back; each weight appears in it once.",
        ("gradient_penalty",),
        note="(GP.3) stands before (GP.2) in the code: the penalty needs g.",
    ),
    Exercise(
        "masked-linear", "an affine map with missing connections", "scratchgen.layers.masked",
        ("masked_affine", "masked_weight_grad", "masked_input_grad", "MaskedLinear.forward", "MaskedLinear.backward"),
        (
            Equation(
                "MASK.2", "masked_weight_grad",
                "As (LIN.2), for the product M∘W. W itself has another factor: where M is 0, a change of W changes nothing.",
            ),
            Equation("MASK.3", "masked_input_grad", "As (LIN.4). The matrix that x is multiplied by is M∘W, called masked."),
        ),
        of_layer(_masked_linear, (5, 4)),
        "docs/autoregressive.md",
        "MADE removes connections, so that output d depends on earlier pixels alone. The forward pass multiplies the "
        "weights by a mask of 0 and 1.",
        ("MaskedLinear",),
    ),
    Exercise(
        "additive-coupling", "a bijection that shifts one half", COUPLING,
        ("AdditiveCoupling.forward", "AdditiveCoupling.backward"),
        (
            Equation(
                "NICE.4", "AdditiveCoupling.backward",
                "x₁, the kept half, is used twice: it is z₁, and it is the conditioner's input. The conditioner's output is "
                "added to x₂, so its gradient is dmoved.",
            ),
        ),
        of_layer(
            lambda names, rng, dtype: names.AdditiveCoupling(_conditioner(2, rng, dtype), "even"), (5, 4)
        ),
        FLOWS,
        "Write down where x₁ and x₂ appear in z₁ = x₁ and z₂ = x₂ + m(x₁). The conditioner m is a network with its own "
        "backward pass.",
        ("AdditiveCoupling",),
        note="self.conditioner.backward(dout, cache) takes the gradient of m's output and the cache cond.",
    ),
    Exercise(
        "affine-coupling", "a bijection with a log-determinant", COUPLING,
        ("AffineCoupling.forward", "AffineCoupling.backward"),
        (
            Equation(
                "RNVP.5", "AffineCoupling.backward",
                "z₂ = x₂·exp(s) + t. The slope of exp(s) for s is exp(s) itself, called scale. The next lines add the "
                "gradient of the log-determinant.",
            ),
            Equation(
                "RNVP.6", "AffineCoupling.backward",
                "s = bound·tanh(r / bound). The two factors bound cancel in the slope, and tanh is s / bound. "
                "MASKS[self.mask].of_moved(…) is needed for images only; dlog_scale can be used as it is.",
            ),
            Equation(
                "RNVP.7", "AffineCoupling.backward",
                "As (NICE.4), with dh, which holds the gradients of both outputs of the conditioner.",
            ),
        ),
        of_layer(_affine_coupling, (5, 4)),
        FLOWS,
        "Differentiate z₂ = x₂·exp(s) + t and s = bound·tanh(r / bound) step by step. s is used twice: in z₂ and in the "
        "log-determinant, which is a second output.",
        ("AffineCoupling",),
        note="The conditioner gives t and r side by side. dkept and dmoved are the two halves of dout.",
    ),
    Exercise(
        "time-embedding", "sines and cosines of a time", "scratchgen.layers.time_embedding",
        ("TimeEmbedding.forward", "TimeEmbedding.backward"),
        (
            Equation(
                "TIME.3", "TimeEmbedding.backward",
                "One time t gives all features of its row: sum over axis 1. The derivative of sin(f·t) is f·cos(f·t), that of "
                "cos(f·t) has a minus. frequencies(self.features, dout.dtype) are the f.",
            ),
        ),
        of_layer(_time_embedding, (5, 1)),
        DIFFUSION,
        "The chain rule for sin(f·t) has the factor f. All features of an example depend on the same number t.",
        ("TimeEmbedding",),
    ),
    Exercise(
        "residual-block", "two inputs, one of them shared by all pixels", "scratchgen.layers.residual",
        ("ResidualBlock.forward", "ResidualBlock.backward"),
        (
            Equation(
                "RES.4", "ResidualBlock.backward",
                "out = skip(x) + second(h). h is the input of the layer `second`; cache.second is its cache.",
            ),
            Equation(
                "RES.5", "ResidualBlock.backward",
                "dshift is the gradient of W·e + b, already summed over the pixels. self.shift is this Linear layer, and its "
                "input was cache.e. Its backward also adds the gradients of W and b.",
            ),
            Equation(
                "RES.6", "ResidualBlock.backward",
                "x is used twice: dskip and dfirst are the gradients of the two ways. Return (dx, de), with None for dx if "
                "input_grad is False.",
            ),
        ),
        of_layer(_residual_block, (2, 11)),
        DIFFUSION,
        "Draw the block: x goes through `first`, gets a shift from e, goes through `second`, and is added to skip(x). Go "
        "back along all arrows.",
        ("ResidualBlock",),
    ),
    Exercise(
        "diffusion", "noise, and a network that finds it", "scratchgen.models.diffusion.diffusion",
        ("Diffusion.loss", "Diffusion.backward"),
        (
            Equation(
                "DIFF.1", "Diffusion.loss",
                "x_t is a weighted sum of the data and of the noise. a is √ā_t and s is √(1 − ā_t), each (N, 1).",
            ),
            Equation(
                "DIFF.3", "Diffusion.loss",
                "squared_error(pred, target) returns the loss, summed over features and averaged over examples, and its "
                "gradient. target_of(self.predicts, x0, eps, a, s) is the target. The division by D is in the next line.",
            ),
        ),
        all_of(
            loss=of_values(
                _denoising_loss("Diffusion", steps=10), _library("scratchgen.models.diffusion.diffusion", "Diffusion")
            ),
            gradient=of_model(_denoiser("Diffusion", steps=10), (5, 2)),
        ),
        DIFFUSION,
        "Training needs one noise level per example: mix data and noise, let the network guess, and compare with the "
        "target. The gradient starts at the network's output.",
        ("Diffusion",),
        note="The blanks are in the loss, so the check also compares the loss with the library's.",
    ),
    Exercise(
        "flow-matching", "the velocity of straight paths", "scratchgen.models.diffusion.flow_matching",
        ("FlowMatching.loss", "FlowMatching.backward"),
        (
            Equation(
                "FM.1", "FlowMatching.loss",
                "A straight path from the noise x0 at t = 0 to the data x1 at t = 1. t is (N,), so t[:, None] fits.",
            ),
            Equation(
                "FM.4", "FlowMatching.loss",
                "The velocity along a straight path is constant: differentiate (FM.1) for t. squared_error(pred, target) "
                "returns the loss and its gradient. The division by D is in the next line.",
            ),
        ),
        all_of(
            loss=of_values(
                _denoising_loss("FlowMatching"), _library("scratchgen.models.diffusion.flow_matching", "FlowMatching")
            ),
            gradient=of_model(_denoiser("FlowMatching"), (5, 2)),
        ),
        DIFFUSION,
        "The network's output v is compared with the velocity of the path through x_t, as in a regression.",
        ("FlowMatching",),
        note="The blanks are in the loss, so the check also compares the loss with the library's.",
    ),
)
