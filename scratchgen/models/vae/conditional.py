"""Conditional VAEs: the class is given to the networks, or to the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_labels, one_hot
from scratchgen.layers import Activation, Layer, Parameter, SiLU
from scratchgen.models.arguments import count
from scratchgen.models.networks import dense, dense_arguments
from scratchgen.models.vae.model import VAE


class LabelledVAE(VAE):
    """The base of both conditional VAEs: every method takes labels y, (N,), from 0 to classes − 1."""

    def __init__(self, encoder: Layer, decoder: Layer, *, classes: int = 10, **settings: Any):
        super().__init__(encoder, decoder, **settings)
        self.classes = count(type(self).__name__, "classes", classes)

    def _labels(self, y: Any, n: int, method: str) -> np.ndarray:
        return expect_labels(self._who(method), y, n, self.classes)


class ConditionalVAE(LabelledVAE):
    """A VAE whose two networks are given the class (Sohn et al. 2015; Kingma et al. 2014).

    (CVAE.1)  h = f([x, onehot(y)]),  out = g([z, onehot(y)])           z may encode what y does not
    (CVAE.2)  dz = the first K columns of J_gᵀ·dout                     onehot(y) is data and has no gradient

    A wide code can encode the class as well, and the decoder may then ignore the label. Use a small K
    (measured in docs/vae.md, section 12). The bound is on log p(x | y). Derived in docs/vae.md.

    encoder : (N, D + classes) -> (N, 2K);  decoder : (N, K + classes) -> (N, D)
    """

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] | None = None,
        *,
        features: int | None = None,
        hidden: int | Sequence[int] | None = None,
        code: int | None = None,
        rng: np.random.Generator | int,
        classes: int = 10,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Linear layers from `features` through the `hidden` widths to `code`, and the same widths back.

        features, hidden, code : by default 784, (400,) and 4; both networks also take the label
        sizes : the same widths in one sequence, (features, *hidden, code), instead of the three arguments
        """
        who = f"{cls.__name__}.dense"
        sizes, net_args = dense_arguments(
            who, sizes, (784, 400, 4), features, hidden, code, rng=rng, activation=activation, dtype=dtype
        )
        count(who, "classes", classes)
        columns, *inner, width = sizes
        encoder = dense((columns + classes, *inner, 2 * width), **net_args)
        decoder = dense((width + classes, *reversed(inner), columns), **net_args)
        return cls(encoder, decoder, classes=classes, **settings)

    @classmethod
    def convolutional(cls, *args: Any, **settings: Any) -> Self:
        """Raise TypeError: only the dense networks take a label. Use ClassPriorVAE.convolutional."""
        raise TypeError("ConditionalVAE has a dense form only; ClassPriorVAE.convolutional uses classes too")

    @property
    def features(self) -> int | None:
        """D, the number of input columns; None if the encoder does not begin with a Linear layer."""
        width = super().features
        return None if width is None else width - self.classes

    def _encoder_input(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        return self._with_label(x, y)                           # (CVAE.1)

    def _decoder_input(self, z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        return self._with_label(z, y)                           # (CVAE.1); VAE.backward has (CVAE.2)

    def _with_label(self, a: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """[a, onehot(y)], (N, width + classes)."""
        assert y is not None
        return np.concatenate([a, one_hot(y, self.classes, a.dtype)], axis=1)


class ClassPriorVAE(LabelledVAE):
    """A VAE in which each class has its own prior, N(m_y, I), with a mean that is learnt.

    (CVAE.3)  KL = ½·Σ_k [(mu − m_y)² + std² − 1 − logvar]              instead of (VAE.2)
    (CVAE.4)  dm_c = −beta/N · Σ over the n with yₙ = c of (muₙ − m_c)

    The networks are not given the label, so `encoder` finds the code of an example without one. Source:
    J. Su, "Variational autoencoders (1)", 2018. Derived in docs/vae.md.

    means : Parameter (classes, K), m_y in its rows
    """

    def __init__(self, encoder: Layer, decoder: Layer, *, classes: int = 10, **settings: Any):
        super().__init__(encoder, decoder, classes=classes, **settings)
        self.means = Parameter(np.zeros((classes, self.code), self.dtype))

    def _labels(self, y: Any, n: int, method: str) -> Any:
        """The networks need no labels, so decoding and encoding work without them."""
        if y is None and method in ("posterior", "transform", "inverse_transform", "decode", "reconstruct"):
            return None
        return super()._labels(y, n, method)

    def prior_mean(self, y: np.ndarray | None, n: int) -> np.ndarray:
        """m_y for each of n labels y, (n, K)."""
        return self.means.value[self._labels(y, n, "prior_mean")]       # (CVAE.3)

    def _prior_backward(self, dmu: np.ndarray, y: np.ndarray | None) -> None:
        if self.trainable:
            assert y is not None
            np.subtract.at(self.means.grad, y, dmu)             # (CVAE.4)
