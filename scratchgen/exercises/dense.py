"""Exercises on dense layers, activations, losses and the optimiser: where to begin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from scratchgen.exercises.kinds import all_of, and_then, of_layer, of_loss, of_model, of_values
from scratchgen.exercises.spec import Equation, Exercise

BACKPROP = "docs/backprop.md"
ACTIVATIONS = "scratchgen.layers.activations"
LOSSES = "scratchgen.losses"
ONE_NUMBER = (
    "An activation is a function of one number, applied to every entry. Entry i of out depends on entry i "
    "of x alone, so the Jacobian is diagonal: each entry of dout is multiplied by a slope."
)
OF_A_LOSS = (
    "The loss is a sum over all entries, divided by the number of examples N = len(pred). Differentiate the "
    "term of one entry; the other terms do not depend on it."
)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(size=shape)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def _labels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, shape[1], shape[0])


def _three_steps(names: SimpleNamespace) -> dict[str, np.ndarray]:
    """m, v and the change of the value in each of three steps of Adam; eps is large after the first."""
    rng = np.random.default_rng(20)
    value, m, v = rng.standard_normal(5), np.zeros(5), np.zeros(5)
    found: dict[str, np.ndarray] = {}
    for t, eps in ((1, 1e-8), (2, 0.3), (3, 0.3)):
        before = value.copy()
        names.adam_step(value, rng.standard_normal(5), m, v, 0.1, 0.9, 0.999, eps, t)
        found |= {f"m after step {t}": m.copy(), f"v after step {t}": v.copy()}
        found[f"change of value in step {t}"] = value - before
    return found


EXERCISES = (
    Exercise(
        "linear", "the affine map", "scratchgen.layers.linear",
        ("affine", "affine_bias_grad", "affine_input_grad", "Linear.forward", "Linear.backward"),
        (
            Equation(
                "LIN.2", "Linear.backward",
                "W[d, m] appears in out[n, m] for every example n, each time multiplied by x[n, d]. A sum "
                "over n of products of two matrices is a matrix product; the shape (D, M) says which one is "
                "transposed.",
                left="self.weight.grad += ",
            ),
            Equation(
                "LIN.3", "affine_bias_grad",
                "b[m] is added to out[n, m] for every example n, so the gradients of all examples arrive at "
                "it. dout has shape (…, M); rows(dout) joins all axes but the last, to (N, M).",
            ),
            Equation(
                "LIN.4", "affine_input_grad",
                "x[n, d] appears in out[n, m] for every m, each time multiplied by W[d, m]. Now the sum is "
                "over m.",
            ),
        ),
        and_then(
            of_layer(lambda names, rng, dtype: names.Linear(5, 3, rng=rng, dtype=dtype), (7, 5)),
            sequences=of_layer(lambda names, rng, dtype: names.Linear(4, 3, rng=rng, dtype=dtype), (2, 3, 4)),
        ),
        BACKPROP,
        "Write one entry of the output as a sum: out[n, m] = Σ_d x[n, d]·W[d, m] + b[m]. Ask of each "
        "variable in which entries of out it appears, and add up dout times its factor there.",
        ("Linear",),
        note="x may have further axes, (N, T, D). rows(x) joins all axes but the last, so that it is a "
        "matrix. Gradients add up over calls of backward: += and not =.",
    ),
    Exercise(
        "relu", "a slope of 0 or 1", ACTIVATIONS,
        ("relu", "relu_backward", "ReLU.forward", "ReLU.backward"),
        (
            Equation(
                "RELU.2", "relu_backward",
                "Where x is positive, out = x, and its slope is 1. Where x is negative, out is constant. "
                "The cache is out, not x: its sign says which of the two it was. np.where chooses entry by "
                "entry.",
            ),
        ),
        of_layer(lambda names, rng, dtype: names.ReLU(), (4, 5), smooth=False),
        BACKPROP, ONE_NUMBER, ("ReLU",),
    ),
    Exercise(
        "sigmoid", "a derivative written with the output", ACTIVATIONS,
        ("sigmoid", "sigmoid_backward", "Sigmoid.forward", "Sigmoid.backward"),
        (
            Equation(
                "SIG.2", "sigmoid_backward",
                "Differentiate 1 / (1 + e⁻ˣ) with the quotient rule, then write the result with out alone: "
                "e⁻ˣ / (1 + e⁻ˣ) is 1 − out.",
            ),
        ),
        of_layer(lambda names, rng, dtype: names.Sigmoid(), (4, 5)),
        BACKPROP, ONE_NUMBER, ("Sigmoid",),
    ),
    Exercise(
        "squared-error", "the gradient of a mean over examples", LOSSES,
        ("squared_error",),
        (
            Equation(
                "SE.2", "squared_error",
                "The derivative of a square has a factor in front. The loss is divided by N and by nothing "
                "else, and so is its gradient.",
            ),
        ),
        of_loss("squared_error", _normal),
        BACKPROP, OF_A_LOSS, ("squared_error",),
    ),
    Exercise(
        "bernoulli-loss", "binary cross-entropy of logits", LOSSES,
        ("bce_with_logits",),
        (
            Equation(
                "BCE.2", "bce_with_logits",
                "The loss of one entry is log(1 + eˡ) − l·t, written so that it cannot overflow. The slope "
                "of log(1 + eˡ) is σ(l), which the code has computed: sig.",
            ),
        ),
        of_loss("bce_with_logits", _uniform),
        BACKPROP, OF_A_LOSS, ("bce_with_logits",),
    ),
    Exercise(
        "softmax-cross-entropy", "probabilities minus the truth", LOSSES,
        ("softmax_cross_entropy",),
        (
            Equation(
                "CE.2", "softmax_cross_entropy",
                "The loss of one example is log Σⱼ exp(lⱼ) minus the logit of its label. The slope of the "
                "first term for l_k is the probability p_k, and log_p holds the logarithms of all of them. "
                "The second term adds a number in one column per example; dlogits[n, labels] are these "
                "entries.",
                first="dlogits =",
            ),
        ),
        of_loss("softmax_cross_entropy", _labels),
        BACKPROP,
        "Every logit of an example appears in the logarithm of the sum, but only the logit of the label "
        "appears alone. So the gradient has two terms, and one of them is zero in most columns.",
        ("softmax_cross_entropy",),
    ),
    Exercise(
        "silu", "the product rule", ACTIVATIONS,
        ("silu", "silu_backward", "SiLU.forward", "SiLU.backward"),
        (
            Equation(
                "SILU.2", "silu_backward",
                "By the product rule the slope of x·σ(x) is σ(x) + x·σ'(x), and σ' is (SIG.2). The cache "
                "has no x, but x·σ(x) is out.",
            ),
        ),
        of_layer(lambda names, rng, dtype: names.SiLU(), (4, 5)),
        BACKPROP, ONE_NUMBER, ("SiLU",),
    ),
    Exercise(
        "dropout", "the mask of the forward pass", "scratchgen.layers.dropout",
        ("Dropout.forward", "Dropout.backward"),
        (
            Equation(
                "DROP.2", "Dropout.backward",
                "In training each entry is multiplied by a number that the cache holds. In evaluation, and "
                "for p = 0, the mask is None and out is x.",
            ),
        ),
        all_of(
            training=of_layer(lambda names, rng, dtype: names.Dropout(0.4, rng=rng), (4, 5), training=True),
            evaluation=of_layer(lambda names, rng, dtype: names.Dropout(0.4, rng=rng), (3, 4)),
        ),
        "docs/layers.md",
        "For one mask, dropout multiplies every entry by a constant. The backward pass has to use the same "
        "mask as the forward pass, with its scaling.",
        ("Dropout",),
    ),
    Exercise(
        "autoencoder", "the chain rule through two networks", "scratchgen.models.autoencoder.model",
        ("Autoencoder.loss", "Autoencoder.backward"),
        (
            Equation(
                "AE.5", "Autoencoder.backward",
                "The decoder's backward takes the gradient of the decoder's output and the cache of the "
                "decoder's forward pass. It returns the gradient of the decoder's input, which is z.",
            ),
        ),
        of_model(lambda names, rng, dtype: names.Autoencoder.dense((6, 4, 2), rng=rng, dtype=dtype), (5, 6)),
        "docs/autoencoder.md",
        "The forward pass goes through the encoder and then the decoder. The backward pass goes through "
        "them in the opposite order and hands one gradient from network to network.",
        ("Autoencoder",),
    ),
    Exercise(
        "adam", "one step of the optimiser", "scratchgen.training.optimisers",
        ("adam_step",),
        (
            Equation(
                "ADAM.1", "adam_step",
                "m is a running mean of the gradients: the old mean has the weight beta1.",
            ),
            Equation(
                "ADAM.2", "adam_step",
                "v is a running mean of the squares of the gradients, with beta2.",
            ),
            Equation(
                "ADAM.3", "adam_step",
                "Both means start at zero, so after t steps they are too small, by 1 minus the weight's "
                "t-th power. Divide by this first. eps is added to the root, not under it.",
                first="mhat =",
            ),
        ),
        of_values(_three_steps, "scratchgen.training.optimisers", "adam_step"),
        "docs/optimisation.md",
        "Adam divides a mean of the gradients by the root of a mean of their squares, entry by entry. It is "
        "no gradient: the check compares m, v and the value with the library's after each of three steps.",
        ("Adam",),
        note="m, v and value are changed in place: m[:] = … writes into the array of the caller.",
    ),
)
