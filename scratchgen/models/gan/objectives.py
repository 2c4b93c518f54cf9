"""The objectives of a GAN: what each player minimises, and its gradient at the output of the discriminator.

Each objective is a pair of functions of l(x) and l(x̃), the outputs of D for m real and m generated examples,
(m, 1) each. The discriminator's returns (loss, dl(x), dl(x̃)), the generator's (loss, dl(x̃)): G changes only
the generated examples. Derived in docs/conditional-gan.md, the first two in docs/gan.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scratchgen.losses import bce_with_logits, squared_error

Array = np.ndarray
DiscriminatorLoss = tuple[float, Array, Array]      # loss, dl(x), dl(x̃)
GeneratorLoss = tuple[float, Array]                 # loss, dl(x̃)


def log_discriminator(l_real: Array, l_fake: Array) -> DiscriminatorLoss:
    """The cross-entropy of "real or generated?", for m real and m generated examples.

    (GAN.2)  loss = 1/m·Σ log(1 + e^−l(xᵢ)) + 1/m·Σ log(1 + e^l(x̃ᵢ))      −V of (GAN.1)
    (GAN.3)  dl(xᵢ) = −(1 − D(xᵢ)) / m,   dl(x̃ᵢ) = D(x̃ᵢ) / m
    """
    loss_real, dreal = bce_with_logits(l_real, np.ones_like(l_real))
    loss_fake, dfake = bce_with_logits(l_fake, np.zeros_like(l_fake))       # (GAN.2, GAN.3)
    return loss_real + loss_fake, dreal, dfake                              # −V of (GAN.1)


def minimax_generator(l_real: Array | None, l_fake: Array) -> GeneratorLoss:
    """The negative of D's loss on generated examples.

    (GAN.4)  loss = −1/m·Σ log(1 + e^l(x̃ᵢ)),   dl = −D(x̃ᵢ) / m
    """
    loss, dfake = bce_with_logits(l_fake, np.zeros_like(l_fake))
    loss, dfake = -loss, -dfake                                             # (GAN.4)
    return loss, dfake


def non_saturating_generator(l_real: Array | None, l_fake: Array) -> GeneratorLoss:
    """The cross-entropy of generated examples with the target "real".

    (GAN.5)  loss = 1/m·Σ log(1 + e^−l(x̃ᵢ)),   dl = −(1 − D(x̃ᵢ)) / m
    """
    loss, dfake = bce_with_logits(l_fake, np.ones_like(l_fake))             # (GAN.5)
    return loss, dfake


def least_squares_discriminator(l_real: Array, l_fake: Array) -> DiscriminatorLoss:
    """The squared distances of l(x) from 1 and of l(x̃) from 0 (Mao et al. 2017)."""
    loss_real, dreal = squared_error(l_real, np.ones_like(l_real))
    loss_fake, dfake = squared_error(l_fake, np.zeros_like(l_fake))
    return 0.5 * (loss_real + loss_fake), dreal / 2, dfake / 2              # (LSGAN.1, LSGAN.2)


def least_squares_generator(l_real: Array | None, l_fake: Array) -> GeneratorLoss:
    """The squared distance of l(x̃) from 1."""
    loss, dfake = squared_error(l_fake, np.ones_like(l_fake))
    return 0.5 * loss, dfake / 2                                            # (LSGAN.3)


def hinge_discriminator(l_real: Array, l_fake: Array) -> DiscriminatorLoss:
    """How far l(x) is below 1, and l(x̃) above −1 (Lim & Ye 2017)."""
    short, over = np.maximum(1 - l_real, 0), np.maximum(1 + l_fake, 0)      # (m, 1)
    loss = float(short.mean(dtype=np.float64) + over.mean(dtype=np.float64))    # (HINGE.1)
    dreal = (short > 0) * l_real.dtype.type(-1 / len(l_real))               # (HINGE.2)
    return loss, dreal, (over > 0) * l_fake.dtype.type(1 / len(l_fake))


def linear_generator(l_real: Array | None, l_fake: Array) -> GeneratorLoss:
    """The negative mean of l(x̃), without a hinge."""
    dfake = np.full_like(l_fake, -1 / len(l_fake))
    return -float(l_fake.mean(dtype=np.float64)), dfake                     # (HINGE.3)


def relativistic_discriminator(l_real: Array, l_fake: Array) -> DiscriminatorLoss:
    """The cross-entropy of "more real than the average of the others?" (Jolicoeur-Martineau 2019)."""
    r, f = l_real - l_fake.mean(), l_fake - l_real.mean()                   # (RAGAN.1)
    loss_real, dr = bce_with_logits(r, np.ones_like(r))
    loss_fake, df = bce_with_logits(f, np.zeros_like(f))                    # (RAGAN.2)
    # Each l(x) is also part of the mean in every f, and each l(x̃) of that in every r.
    return loss_real + loss_fake, dr - df.sum() / len(r), df - dr.sum() / len(f)    # (RAGAN.3)


def relativistic_generator(l_real: Array | None, l_fake: Array) -> GeneratorLoss:
    """The discriminator's loss with the two targets exchanged."""
    assert l_real is not None
    r, f = l_real - l_fake.mean(), l_fake - l_real.mean()                   # (RAGAN.1)
    loss_real, dr = bce_with_logits(r, np.zeros_like(r))
    loss_fake, df = bce_with_logits(f, np.ones_like(f))
    return loss_real + loss_fake, df - dr.sum() / len(f)                    # (RAGAN.4)


@dataclass(frozen=True)
class Objective:
    """The losses of both players.

    probabilities : whether σ(l) is the probability that an example is real
    uses_real : whether the generator's loss depends on real examples
    diverges : a loss of D above which training is considered to diverge, about three times that of l = 0
    """

    discriminator: Callable[[Array, Array], DiscriminatorLoss]
    generator: Callable[[Array | None, Array], GeneratorLoss]
    probabilities: bool
    diverges: float
    uses_real: bool = False


OBJECTIVES = {
    "non-saturating": Objective(log_discriminator, non_saturating_generator, True, 4.0),
    "minimax": Objective(log_discriminator, minimax_generator, True, 4.0),
    "least-squares": Objective(least_squares_discriminator, least_squares_generator, False, 1.5),
    "hinge": Objective(hinge_discriminator, linear_generator, False, 6.0),
    "relativistic": Objective(
        relativistic_discriminator, relativistic_generator, False, 4.0, uses_real=True
    ),
}
