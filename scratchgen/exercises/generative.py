"""Exercises on the losses of variational autoencoders and of generative adversarial networks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from scratchgen.exercises.kinds import all_of, of_function, of_model, of_values
from scratchgen.exercises.spec import Check, Equation, Exercise
from scratchgen.gradcheck.differences import Result
from scratchgen.layers import Layer, Linear, Sequential
from scratchgen.module import Module


def _objective(name: str, inputs: tuple[str, ...]) -> Check:
    """Check the value and the gradients of an objective of a GAN.

    inputs : l_real and l_fake, or l_fake alone
    """

    def loss_and_gradients(names: SimpleNamespace, *logits: np.ndarray) -> tuple[Any, ...]:
        return getattr(names, name)(*(logits if len(logits) == 2 else (None, *logits)))

    def loss(names: SimpleNamespace) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(20)
        found = loss_and_gradients(names, *(rng.standard_normal((3, 1)) for _ in inputs))
        return {"loss": np.array(found[0])}

    gradients = of_function(
        lambda names, *logits: loss_and_gradients(names, *logits)[0],
        lambda names, *logits: loss_and_gradients(names, *logits)[1:],
        dict.fromkeys(inputs, (3, 1)),
    )
    return all_of(loss=of_values(loss, "scratchgen.models.gan.objectives", name), gradient=gradients)


def _informed_game(names: SimpleNamespace) -> list[Result]:
    """Check both players of an InfoGAN with a categorical and two continuous codes."""
    from scratchgen.models.gan.cases import GameCase

    def build(rng: Any, dtype: Any) -> Any:
        settings: dict[str, Any] = {"categories": (3,), "continuous": 2, "weight": 0.7, "std": 0.6}
        return names.InfoGAN.dense(6, (4,), 4, head=3, dropout=0, rng=rng, dtype=dtype, **settings)

    return GameCase("", build, (3, 4), smooth=False).run()


def _information(names: SimpleNamespace) -> dict[str, np.ndarray]:
    """H(c), and L of one kind of code or of both."""
    found, kinds = {}, {"categories": ((3, 2), 0), "both kinds": ((3,), 2)}
    for kind, (categories, continuous) in kinds.items():
        rng = np.random.default_rng(20)
        game = names.InfoGAN.dense(
            7, (4,), 4, categories=categories, continuous=continuous, std=0.6, rng=rng, dtype=np.float64
        )
        z, q = game.prior_sample(5, rng=rng), rng.standard_normal((5, game.structured))
        found[f"{kind}: H(c)"] = np.array(game.entropy)
        found[f"{kind}: L"] = np.array(game._bound_and_gradient(q, z)[0])
    return found


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


EXERCISES = (
    Exercise(
        "kl", "the KL divergence of two normal distributions", "scratchgen.distributions",
        ("Normal.kl", "Normal.kl_grad"),
        (
            Equation(
                "NORM.6", "Normal.kl_grad",
                "(NORM.5) is ½·[(mu − m)² + std² − 1 − logvar] with std² = exp(logvar). Differentiate it "
                "for mu and for logvar, with everything under the ½. Return the pair (dmu, dlogvar).",
            ),
        ),
        of_function(
            lambda names, mu, logvar: names.Normal.kl(mu, logvar, 0.3),
            lambda names, mu, logvar: names.Normal.kl_grad(mu, logvar, 0.3),
            {"mu": (4, 3), "logvar": (4, 3)},
        ),
        "docs/distributions.md",
        "The divergence of N(mu, std²) from N(m, 1) is a sum over the entries, so each entry can be "
        "differentiated alone. Keep in mind that logvar is the logarithm of std².",
        ("Normal",),
        note="m is prior_mean, and std² is exp(logvar). np.expm1(a) is eᵃ − 1, with full precision for "
        "small a.",
    ),
    Exercise(
        "vae", "the gradient through a random sample", "scratchgen.models.vae.model",
        ("VAE.loss", "VAE.backward"),
        (
            Equation(
                "VAE.5", "VAE.backward",
                "The gradient of the decoder's input, as in (AE.5). self.decoder.backward(…) takes the "
                "gradient of its output and its cache.",
            ),
            Equation(
                "VAE.7", "VAE.backward",
                "mu is used twice: in z = mu + std·eps, and in the KL. The loss has beta·KL averaged over "
                "the batch of n, and dkl_dmu is the gradient of the KL's sum.",
            ),
            Equation(
                "VAE.8", "VAE.backward",
                "logvar is used twice, too. In z it is inside std = exp(½·logvar), whose slope is ½·std; "
                "eps is constant.",
            ),
        ),
        of_model(
            lambda names, rng, dtype: names.VAE.dense((5, 4, 2), rng=rng, dtype=dtype, beta=0.6), (4, 5)
        ),
        "docs/vae.md",
        "Given the noise eps, z = mu + std·eps is an ordinary function of mu and logvar. So the gradient of "
        "the decoder's loss goes through z, and the gradient of the KL is added.",
        ("VAE",),
        note="dkl_dmu and dkl_dlogvar are the gradients of the sum of all KL terms, (NORM.6). The decoder "
        "of a VAE has only z as input, so a slice is not needed.",
    ),
    Exercise(
        "gan", "two losses of two players", "scratchgen.models.gan.objectives",
        ("log_discriminator", "minimax_generator", "non_saturating_generator"),
        (
            Equation(
                "GAN.3", "log_discriminator",
                "bce_with_logits(logits, target) returns −log p of the targets, averaged, and its gradient. "
                "Real examples have the target 1, as in the line above. Which one do generated examples "
                "have?",
            ),
            Equation(
                "GAN.4", "minimax_generator",
                "In the minimax game G maximises what D minimises. The line above has computed D's loss and "
                "gradient for generated examples.",
            ),
            Equation(
                "GAN.5", "non_saturating_generator",
                "The non-saturating loss is small where D takes the generated examples for real ones: the "
                "cross-entropy with the target that D uses for real examples.",
            ),
        ),
        all_of(
            discriminator=_objective("log_discriminator", ("l_real", "l_fake")),
            minimax=_objective("minimax_generator", ("l_fake",)),
            non_saturating=_objective("non_saturating_generator", ("l_fake",)),
        ),
        "docs/gan.md",
        "Both losses are binary cross-entropies of D's logits, with target 1 or 0.",
        ("log_discriminator", "minimax_generator", "non_saturating_generator"),
        note="l_real and l_fake are D's logits of real and of generated examples. The blanks are in the "
        "losses as well, so the check also compares the losses with the library's.",
    ),
    Exercise(
        "wgan-gp", "the gradient of a gradient", "scratchgen.models.gan.gradient_penalty",
        ("gradient_penalty",),
        (
            Equation(
                "GP.3", "gradient_penalty",
                "The gradient of the critic's output for its input is a backward pass that starts with "
                "ones: each layer's backward takes the adjoint at its output and returns the one at its "
                "input.",
            ),
            Equation(
                "GP.2", "gradient_penalty",
                "P is the mean of λ·(‖g‖ − 1)² over examples. The derivative of ‖g‖ for g is g / ‖g‖, which "
                "is called direction here. weight is λ, len(g) is N.",
            ),
            Equation(
                "GP.5", "gradient_penalty",
                "tangent_backward(layer, a, tangent) adds a layer's weight gradient: a is the adjoint at "
                "its output, tangent the one at its input.",
            ),
            Equation(
                "GP.4", "gradient_penalty",
                "The tangent goes through the layers in the forward direction: layer.jvp(tangent, cache) "
                "multiplies it by the layer's Jacobian.",
            ),
        ),
        all_of(
            value=of_values(
                _penalty_values, "scratchgen.models.gan.gradient_penalty", "gradient_penalty"
            ),
            gradient=_penalty,
        ),
        "docs/wgan.md",
        "The penalty depends on the weights through g, the critic's gradient at x. Write ⟨v, g⟩ as a "
        "product along the network, with v pushed forward and the adjoints pulled back; each weight appears "
        "in it once.",
        ("gradient_penalty",),
        note="(GP.3) stands before (GP.2) in the code: the penalty needs g.",
    ),
    Exercise(
        "info-gan", "a bound on the information in a code", "scratchgen.models.gan.info",
        ("InfoGAN.entropy", "InfoGAN._bound_and_gradient", "InfoGAN.generator_backward"),
        (
            Equation(
                "INFO.5", "InfoGAN.entropy",
                "The entropy of independent codes is a sum. A category is uniform over its values, a "
                "continuous code has the density ½ on (−1, 1); each entropy is the mean of −log of the "
                "probability or the density.",
            ),
            Equation(
                "INFO.3", "InfoGAN._bound_and_gradient",
                "loss is −log Q of the true categories, averaged over the batch, for a softmax of these "
                "columns of q; dq is its gradient. A loss of the library computes both from logits and "
                "integer labels. The factor weight is in the last line.",
            ),
            Equation(
                "INFO.4", "InfoGAN._bound_and_gradient",
                "loss is −log of a Normal density with mean `mean` and standard deviation self.std at "
                "`target`, summed over the codes and averaged over the batch, with its constants for every "
                "code. Differentiate it for the mean.",
                first="squares, dq =",
            ),
            Equation(
                "INFO.6", "InfoGAN.generator_backward",
                "The discriminator has the output [l, q], (N, 1 + Q). One backward pass takes the gradients "
                "of both, side by side.",
                first="dout =",
            ),
        ),
        all_of(
            value=of_values(_information, "scratchgen.models.gan.info", "InfoGAN"),
            gradient=_informed_game,
        ),
        "docs/conditional-gan.md",
        "The bound is L = H(c) + E[log Q(c | x̃)]. Both players add −weight·L to their losses, so the "
        "gradients are those of a negative log-likelihood: of a classifier for the categories, and of a "
        "regression for the continuous codes.",
        ("InfoGAN",),
        note="bound begins with H(c), and each loss is subtracted from it. The blanks are in the value as "
        "well, so the check also compares the values with the library's.",
    ),
)
