"""VAEs that are told the class: through the networks, or through the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_labels
from scratchgen.layers import Activation, Layer, Parameter, SiLU
from scratchgen.models.networks import dense
from scratchgen.models.vae.model import VAE


class LabelledVAE(VAE):
    """What both forms share: every verb takes labels y, (N,) integers from 0 to classes − 1."""

    def __init__(self, encoder: Layer, decoder: Layer, *, classes: int = 10, **settings: Any):
        if classes < 1:
            raise ValueError(f"{type(self).__name__} expected at least one class, got {classes}")
        super().__init__(encoder, decoder, **settings)
        self.classes = classes

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) as VAE does, and labels y (N,)."""
        super().check_data(X)
        return X, expect_labels(self._who("fit"), y, len(X), self.classes)

    def _labels(self, y, n: int) -> np.ndarray:
        """y, checked: n whole numbers from 0 to classes − 1."""
        return expect_labels(type(self).__name__, y, n, self.classes)


class ConditionalVAE(LabelledVAE):
    """A VAE whose two networks are told the class (Sohn et al. 2015; Kingma et al. 2014).

    (CVAE.1)  h = f([x, onehot(y)]),  out = g([z, onehot(y)])           z may keep what y does not say
    (CVAE.2)  dz = the first K columns of J_gᵀ·dout                     onehot(y) is given, and learns nothing

    A wide code can say the class once more, and then the decoder need not listen to the label: keep K small
    (docs/vae.md, section 12, measures it). The bound is on log p(x | y). Derived in docs/vae.md.

    encoder : (N, D + classes) -> (N, 2K);  decoder : (N, K + classes) -> (N, D)
    """

    @classmethod
    def dense(
        cls,
        sizes: Sequence[int] = (784, 400, 4),
        *,
        rng: np.random.Generator,
        classes: int = 10,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """Linear layers of the given sizes down to a code of the last, and the same sizes back up."""
        kind = {"rng": rng, "activation": activation, "dtype": dtype}
        if len(sizes) < 2:
            raise ValueError(f"ConditionalVAE.dense expected two or more sizes, got {tuple(sizes)}")
        pixels, *hidden, code = sizes
        encoder = dense((pixels + classes, *hidden, 2 * code), **kind)
        decoder = dense((code + classes, *reversed(hidden), pixels), **kind)
        return cls(encoder, decoder, classes=classes, **settings)

    @classmethod
    def convolutional(cls, *args: Any, **settings: Any) -> Self:
        """There is none: an image has no place for a label. ClassPriorVAE has a convolutional form."""
        raise TypeError("ConditionalVAE has a dense form only; ClassPriorVAE.convolutional knows classes too")

    def _encoder_input(self, x, y):
        return self._joined(x, y)                               # (CVAE.1)

    def _decoder_input(self, z, y):
        return self._joined(z, y)                               # (CVAE.1); VAE.backward has (CVAE.2)

    def _joined(self, a: np.ndarray, y) -> np.ndarray:
        """[a, onehot(y)], (N, width + classes)."""
        onehot = np.zeros((len(a), self.classes), a.dtype)
        onehot[np.arange(len(a)), self._labels(y, len(a))] = 1
        return np.concatenate([a, onehot], axis=1)


class ClassPriorVAE(LabelledVAE):
    """A VAE in which each class has a prior of its own, N(m_y, I), whose mean is learnt.

    (CVAE.3)  KL = ½·Σ_k [(mu − m_y)² + std² − 1 − logvar]              in the place of (VAE.2)
    (CVAE.4)  dm_c = −beta/N · Σ over the n with yₙ = c of (muₙ − m_c)

    The networks see no label, so its codes can be found without one. Source: J. Su, "Variational
    autoencoders (1)", 2018. Derived in docs/vae.md.

    means : Parameter (classes, K), m_y in its rows
    """

    def __init__(self, encoder: Layer, decoder: Layer, *, classes: int = 10, **settings: Any):
        super().__init__(encoder, decoder, classes=classes, **settings)
        self.means = Parameter(np.zeros((classes, self.code_width), self.dtype))

    def prior_mean(self, y, n):
        return self.means.value[self._labels(y, n)]             # (CVAE.3)

    def _prior_backward(self, dmu, y):
        if self.trainable:
            np.subtract.at(self.means.grad, y, dmu)             # (CVAE.4)
