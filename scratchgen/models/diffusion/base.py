"""What diffusion and flow matching have in common: a network of x and t, and data on a common scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator, expect_labels, expect_no_labels, expect_rows
from scratchgen.layers.time_network import ResidualNet, TimeNetwork
from scratchgen.layers.unet import UNet
from scratchgen.models.arguments import as_dtype, count, finite, flag, image_shape, widths
from scratchgen.models.base import Model
from scratchgen.models.examples import as_examples

GROUPS = 8      # of the group norms of the U-Net


class DenoisingModel(Model):
    """The base of Diffusion and FlowMatching: a network f(x, t, y) that works on (x − shift) / scale.

    (GUIDE.1)  guided f = f(x, t) + (1 + w)·(f(x, t, y) − f(x, t))      classifier-free guidance of strength w

    With w = 0 it is f(x, t, y), and with w = −1 it ignores the class. Source: Ho & Salimans 2022, equation 6.

    net : a TimeNetwork, such as ResidualNet or UNet
    features : D
    levels : number of grey levels of pixels in [0, 1], which become [−1, 1]; None for continuous data, whose
        mean and standard deviation `fit` takes as shift and scale
    label_dropout : the share of examples whose label is replaced by "no class" in training, for a network
        with classes
    """

    buffer_names = ("shift", "scale", "low", "high")

    def __init__(
        self, net: TimeNetwork, features: int, *, levels: int | None = None, label_dropout: float = 0.1
    ):
        who = type(self).__name__
        if not isinstance(net, TimeNetwork):
            raise TypeError(f"{who} expected net to be a TimeNetwork, such as UNet, got {type(net).__name__}")
        count(who, "features", features)
        width = net.features if isinstance(net, ResidualNet) else features
        width = math.prod(net.shape) if isinstance(net, UNet) else width
        if width != features:
            raise ValueError(f"{who} expected features of {width}, as the net has, got {features}")
        if levels is not None:
            count(who, "levels", levels, least=2)
        finite(who, "label_dropout", label_dropout, least=0, most=1)
        self.net, self.features, self.levels = net, features, levels
        self.label_dropout, self.classes = label_dropout, net.classes
        pixels = 0.5 if levels is not None else 0.0
        self.shift = np.full(features, pixels, self.dtype)
        self.scale = np.full(features, pixels or 1.0, self.dtype)
        self.low, self.high = (np.full(features, end, self.dtype) for end in (-1.0, 1.0))   # of scaled data

    @classmethod
    def dense(
        cls,
        features: int,
        hidden: int = 128,
        blocks: int = 3,
        *,
        classes: int = 0,
        embedding: int = 64,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """For tables: a ResidualNet with `blocks` blocks of `hidden` units."""
        who = f"{cls.__name__}.dense"
        for name, number in (("features", features), ("hidden", hidden), ("blocks", blocks)):
            count(who, name, number)
        net = ResidualNet(
            features, hidden, blocks, **_network_arguments(who, classes, embedding, rng, dtype)
        )
        return cls(net, features, **settings)

    @classmethod
    def convolutional(
        cls,
        channels: Sequence[int] = (32, 64),
        *,
        shape: tuple[int, int, int] = (28, 28, 1),
        squeeze: bool = True,
        attention: bool = False,
        dropout: float = 0.0,
        classes: int = 0,
        embedding: int = 128,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        levels: int = 256,
        **settings: Any,
    ) -> Self:
        """For images: a UNet with these channels; with `squeeze`, 2×2 pixels become channels first."""
        who = f"{cls.__name__}.convolutional"
        count(who, "levels", levels, least=2)
        sizes = widths(who, "channels", channels)
        multiple = 2 ** (len(sizes) - 1 + flag(who, "squeeze", squeeze))
        shape = image_shape(who, shape)
        if not sizes or any(size % GROUPS for size in sizes):
            raise ValueError(f"{who} expected channels to be multiples of {GROUPS}, got {channels!r}")
        if shape[0] % multiple or shape[1] % multiple:
            raise ValueError(f"{who} expected H and W of shape to be divisible by {multiple}, got {shape}")
        net = UNet(
            shape, sizes, squeeze=squeeze, attention=flag(who, "attention", attention),
            dropout=finite(who, "dropout", dropout, least=0, below=1), groups=GROUPS,
            **_network_arguments(who, classes, embedding, rng, dtype),
        )
        return cls(net, math.prod(net.shape), levels=levels, **settings)

    @property
    def code(self) -> int:
        """The width of the latent code, which is the number of features."""
        return self.features

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D), within [0, 1] if it will be dequantised, and the labels of a model with classes."""
        X = self._as_data(X, "fit", least=1 if self.levels is not None else 2)
        return X, self._labels(y, len(X), "fit")

    def _as_data(self, X: Any, method: str, least: int = 1) -> np.ndarray:
        """Return data X (N, D) in the dtype of the network, or raise an error. Pixels must be in [0, 1]."""
        low, high = (0, 1) if self.levels is not None else (None, None)
        return as_examples(
            self._who(method), X, self.dtype, features=self.features, low=low, high=high, least=least
        )

    def _labels(self, y: Any, n: int, method: str, needed: bool = True) -> np.ndarray | None:
        if not self.classes:
            expect_no_labels(self._who(method), y)
            return None
        if y is None and not needed:
            return None
        return expect_labels(self._who(method), y, n, self.classes)

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Take mean, standard deviation and range of continuous data, once."""
        if self.levels is None and not self._knows_scale():
            scale = X.std(axis=0, dtype=np.float64)
            if not scale.all():
                raise ValueError(
                    f"{self._who('fit')} expected features that vary, but feature {scale.argmin()} is "
                    "constant: it has no density. Leave it out, or pass levels= for pixels"
                )
            self.shift[...], self.scale[...] = X.mean(axis=0, dtype=np.float64), scale
            self.low[...], self.high[...] = (self._scaled(end) for end in (X.min(axis=0), X.max(axis=0)))
        return X

    def _expect_noise(self, name: str, noise: np.ndarray, x: np.ndarray) -> None:
        """Check noise that was passed to `loss`. It would be broadcast if it had fewer rows."""
        if noise.shape != x.shape:
            raise ValueError(
                f"{self._who('loss')} expected {name} of shape {x.shape}, as the data has, got {noise.shape}"
            )

    def _expect_finite(self, samples: np.ndarray, method: str) -> np.ndarray:
        """Return samples. Raises ValueError if some are not finite, as with a very strong guidance."""
        if not np.isfinite(samples).all():
            raise ValueError(
                f"{self._who(method)} expected finite samples, got NaN or infinity; use less guidance, or "
                "train the model again with a smaller learning rate"
            )
        return samples

    def _knows_scale(self) -> bool:
        """Whether mean, standard deviation or range differ from those of a new model, 0, 1 and [-1, 1]."""
        new = ((self.shift, 0), (self.scale, 1), (self.low, -1), (self.high, 1))
        return any((value != start).any() for value, start in new)

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        """Data on the scale of the network."""
        return (X - self.shift) / self.scale

    def _unscaled(self, x: np.ndarray) -> np.ndarray:
        return x * self.scale + self.shift

    def _expect_condition(self, y: Any, n: int, guidance: float, method: str) -> np.ndarray | None:
        finite(self._who(method), "guidance", guidance)
        y = self._labels(y, n, method, needed=False)
        if guidance and y is None:
            raise ValueError(
                f"{self._who(method)} expected labels y of a model with classes for guidance={guidance}"
            )
        return y

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes from N(0, I), (n, D). They do not depend on the labels y."""
        self._expect_count(n, "prior_sample")
        self._labels(y, n, "prior_sample", needed=False)
        rng = as_generator(self._who("prior_sample"), rng)
        return rng.standard_normal((n, self.features)).astype(self.dtype)

    def _with_dropped_labels(self, y: np.ndarray | None, rng: np.random.Generator) -> np.ndarray | None:
        """Replace a share of the labels by "no class", so that the network learns f(x, t) as well."""
        if y is None:
            return None
        return np.where(rng.random(len(y)) < self.label_dropout, self.classes, y)

    def predict_at(
        self, x: np.ndarray, t: float, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> np.ndarray:
        """The network's output at x (N, D) on the scale of the network, and time t in [0, 1].

        y : labels (N,), for a model with classes; None for the mean over all classes
        guidance : w of (GUIDE.1)
        """
        finite(self._who("predict_at"), "t", t, least=0, most=1)
        return self._predict_at(x, t, self._condition(x, y, guidance, "predict_at"), guidance)

    def _condition(self, x: Any, y: Any, guidance: float, method: str) -> np.ndarray | None:
        """Check points x on the scale of the network, the labels y and the guidance; return the labels."""
        expect_rows(self._who(method), x, features=self.features, dtype=self.dtype)
        return self._expect_condition(y, len(x), guidance, method)

    def _predict_at(
        self, x: np.ndarray, t: float, y: np.ndarray | None = None, guidance: float = 0.0
    ) -> np.ndarray:
        times = np.full(len(x), t, x.dtype)
        f, _ = self.net.forward(x, times, y)
        if not guidance:
            return f
        free, _ = self.net.forward(x, times)
        return free + x.dtype.type(1 + guidance) * (f - free)               # (GUIDE.1)

    def _predict_with_backward(
        self, x: np.ndarray, t: float, y: np.ndarray | None, guidance: float
    ) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """The network's output f, and the function df -> dx of its backward pass."""
        times, number = np.full(len(x), t, x.dtype), x.dtype.type
        with self.net.frozen():
            f, cache = self.net.forward(x, times, y)
            free, free_cache = self.net.forward(x, times) if guidance else (f, None)

        def backward(df: np.ndarray) -> np.ndarray:
            with self.net.frozen():
                dx: np.ndarray = self.net.backward(number(1 + guidance) * df if guidance else df, cache)
                return dx + self.net.backward(number(-guidance) * df, free_cache) if guidance else dx

        return free + number(1 + guidance) * (f - free) if guidance else f, backward    # (GUIDE.1)


def _network_arguments(who: str, classes: int, embedding: int, rng: Any, dtype: Any) -> dict[str, Any]:
    """The checked arguments that both networks have."""
    count(who, "classes", classes, least=0)
    count(who, "embedding", embedding)
    net: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": as_dtype(who, dtype)}
    return {"classes": classes, "embedding": embedding, **net}
