"""Exercises on masks, bijections, and the networks and losses of diffusion and flow matching."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from scratchgen.exercises.kinds import all_of, of_layer, of_model, of_values
from scratchgen.exercises.spec import Equation, Exercise
from scratchgen.layers import Linear, Sequential, Tanh

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


def _denoiser(name: str, **settings: Any) -> Callable[[Any, Any, Any], Any]:
    def build(names: Any, rng: Any, dtype: Any) -> Any:
        from scratchgen.layers.time_network import ResidualNet

        net = ResidualNet(2, 4, blocks=1, embedding=4, rng=rng, dtype=dtype)
        return getattr(names, name)(net, 2, **settings)

    return build


def _denoising_loss(name: str, **settings: Any) -> Callable[[SimpleNamespace], dict[str, np.ndarray]]:
    """The loss at a fixed batch, to find mistakes that forward and backward have in common."""

    def compute(names: SimpleNamespace) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(20)
        model = _denoiser(name, **settings)(names, rng, np.float64)
        for p in model.parameters().values():
            p.value += 0.3 * rng.standard_normal(p.shape)
        return {"loss": np.array(model.loss(rng.standard_normal((5, 2)), rng=rng)[0])}

    return compute


EXERCISES = (
    Exercise(
        "masked-linear", "an affine map with missing connections", "scratchgen.layers.masked",
        ("masked_affine", "masked_weight_grad", "masked_input_grad", "MaskedLinear.forward",
         "MaskedLinear.backward"),
        (
            Equation(
                "MASK.2", "masked_weight_grad",
                "As (LIN.2), for the product M∘W. W itself has another factor: where M is 0, a change of W "
                "changes nothing.",
            ),
            Equation(
                "MASK.3", "masked_input_grad",
                "As (LIN.4). The matrix that x is multiplied by is M∘W, called masked.",
            ),
        ),
        of_layer(_masked_linear, (5, 4)),
        "docs/autoregressive.md",
        "MADE removes connections, so that output d depends on earlier pixels alone. The forward pass "
        "multiplies the weights by a mask of 0 and 1.",
        ("MaskedLinear",),
    ),
    Exercise(
        "additive-coupling", "a bijection that shifts one half", COUPLING,
        ("AdditiveCoupling.forward", "AdditiveCoupling.backward"),
        (
            Equation(
                "NICE.4", "AdditiveCoupling.backward",
                "x₁, the kept half, is used twice: it is z₁, and it is the conditioner's input. The "
                "conditioner's output is added to x₂, so its gradient is dmoved.",
            ),
        ),
        of_layer(
            lambda names, rng, dtype: names.AdditiveCoupling(_conditioner(2, rng, dtype), "even"), (5, 4)
        ),
        FLOWS,
        "Write down where x₁ and x₂ appear in z₁ = x₁ and z₂ = x₂ + m(x₁). The conditioner m is a network "
        "with its own backward pass.",
        ("AdditiveCoupling",),
        note="self.conditioner.backward(dout, cache) takes the gradient of m's output and the cache cond.",
    ),
    Exercise(
        "affine-coupling", "a bijection with a log-determinant", COUPLING,
        ("AffineCoupling.forward", "AffineCoupling.backward"),
        (
            Equation(
                "RNVP.5", "AffineCoupling.backward",
                "z₂ = x₂·exp(s) + t. The slope of exp(s) for s is exp(s) itself, called scale. The next "
                "lines add the gradient of the log-determinant.",
            ),
            Equation(
                "RNVP.6", "AffineCoupling.backward",
                "s = bound·tanh(r / bound). The two factors bound cancel in the slope, and tanh is s / "
                "bound. MASKS[self.mask].of_moved(…) is needed for images only; dlog_scale can be used as "
                "it is.",
            ),
            Equation(
                "RNVP.7", "AffineCoupling.backward",
                "As (NICE.4), with dh, which holds the gradients of both outputs of the conditioner.",
            ),
        ),
        of_layer(_affine_coupling, (5, 4)),
        FLOWS,
        "Differentiate z₂ = x₂·exp(s) + t and s = bound·tanh(r / bound) step by step. s is used twice: in "
        "z₂ and in the log-determinant, which is a second output.",
        ("AffineCoupling",),
        note="The conditioner gives t and r side by side. dkept and dmoved are the two halves of dout.",
    ),
    Exercise(
        "time-embedding", "sines and cosines of a time", "scratchgen.layers.time_embedding",
        ("TimeEmbedding.forward", "TimeEmbedding.backward"),
        (
            Equation(
                "TIME.3", "TimeEmbedding.backward",
                "One time t gives all features of its row: sum over axis 1. The derivative of sin(f·t) is "
                "f·cos(f·t), that of cos(f·t) has a minus. frequencies(self.features, dout.dtype) are the f.",
            ),
        ),
        of_layer(_time_embedding, (5, 1)),
        DIFFUSION,
        "The chain rule for sin(f·t) has the factor f. All features of an example depend on the same number "
        "t.",
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
                "dshift is the gradient of W·e + b, already summed over the pixels. self.shift is this "
                "Linear layer, and its input was cache.e. Its backward also adds the gradients of W and b.",
            ),
            Equation(
                "RES.6", "ResidualBlock.backward",
                "x is used twice: dskip and dfirst are the gradients of the two ways. Return (dx, de), with "
                "None for dx if input_grad is False.",
            ),
        ),
        of_layer(_residual_block, (2, 11)),
        DIFFUSION,
        "Draw the block: x goes through `first`, gets a shift from e, goes through `second`, and is added "
        "to skip(x). Go back along all arrows.",
        ("ResidualBlock",),
    ),
    Exercise(
        "diffusion", "noise, and a network that finds it", "scratchgen.models.diffusion.diffusion",
        ("Diffusion.loss", "Diffusion.backward"),
        (
            Equation(
                "DIFF.1", "Diffusion.loss",
                "x_t is a weighted sum of the data and of the noise. a is √ā_t and s is √(1 − ā_t), each "
                "(N, 1).",
            ),
            Equation(
                "DIFF.3", "Diffusion.loss",
                "squared_error(pred, target) returns the loss, summed over features and averaged over "
                "examples, and its gradient. target_of(self.predicts, x0, eps, a, s) is the target. The "
                "division by D is in the next line.",
            ),
        ),
        all_of(
            loss=of_values(
                _denoising_loss("Diffusion", steps=10),
                "scratchgen.models.diffusion.diffusion", "Diffusion"
            ),
            gradient=of_model(_denoiser("Diffusion", steps=10), (5, 2)),
        ),
        DIFFUSION,
        "Training needs one noise level per example: mix data and noise, let the network guess, and compare "
        "with the target. The gradient starts at the network's output.",
        ("Diffusion",),
        note="The blanks are in the loss, so the check also compares the loss with the library's.",
    ),
    Exercise(
        "flow-matching", "the velocity of straight paths", "scratchgen.models.diffusion.flow_matching",
        ("FlowMatching.loss", "FlowMatching.backward"),
        (
            Equation(
                "FM.1", "FlowMatching.loss",
                "A straight path from the noise x0 at t = 0 to the data x1 at t = 1. t is (N,), so t[:, "
                "None] fits.",
            ),
            Equation(
                "FM.4", "FlowMatching.loss",
                "The velocity along a straight path is constant: differentiate (FM.1) for t. "
                "squared_error(pred, target) returns the loss and its gradient. The division by D is in the "
                "next line.",
            ),
        ),
        all_of(
            loss=of_values(
                _denoising_loss("FlowMatching"),
                "scratchgen.models.diffusion.flow_matching", "FlowMatching"
            ),
            gradient=of_model(_denoiser("FlowMatching"), (5, 2)),
        ),
        DIFFUSION,
        "The network's output v is compared with the velocity of the path through x_t, as in a regression.",
        ("FlowMatching",),
        note="The blanks are in the loss, so the check also compares the loss with the library's.",
    ),
)
