"""Neural classifiers, which learn P(y | x) directly, without a model of x."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator, expect_labels
from scratchgen.distributions import Categorical
from scratchgen.layers import (
    Activation,
    Conv2d,
    Flatten,
    Layer,
    MaxPool2d,
    Reshape,
    Sequential,
    SiLU,
)
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.arguments import as_dtype, count, image_shape, widths
from scratchgen.models.arguments import channels as as_channels
from scratchgen.models.base import Model
from scratchgen.models.classical.base import Classifier, expect_labelled, weighted_cross_entropy
from scratchgen.models.examples import as_examples
from scratchgen.models.networks import dense, dense_arguments, in_batches, input_width


class NetCache(NamedTuple):
    """The values that backward needs."""

    net: Any                # the network's cache
    dlogits: np.ndarray     # (N, C)


class NetClassifier(Classifier, Model):
    """The base of both classifiers below: a network that gives logits, and softmax cross-entropy.

    (CE.1)  loss    = −1/N · Σₙ log pₙ[yₙ],  p = softmax(logits)       x (N, D), y (N,), logits (N, C)
    (CE.2)  dlogits = 1/N · (p − onehot(y))
    (CE.3)  ∇ₓ log p(y | x) = Jᵀ·(onehot(y) − p)                       J = dlogits/dx of one example

    Labels are 0 … C − 1. Weights of the examples are used as in (LR.4). Derived in docs/backprop.md.
    """

    takes_weights = True
    net: Sequential

    def loss(
        self,
        x: np.ndarray,
        y: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, NetCache]:
        """Return (loss, cache) for x (N, D) and labels y (N,), and for weights of the examples (N,)."""
        self._expect_fitted("net")
        logits, net = self.net.forward(x, training)             # (N, C)
        loss, dlogits = weighted_cross_entropy(self._who("loss"), logits, y, sample_weight)
        return loss, NetCache(net, dlogits)                     # (CE.1), (CE.2)

    def backward(self, cache: NetCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, C)."""
        self.net.backward(cache.dlogits, cache.net, input_grad=False)
        return {"dlogits": cache.dlogits}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,)."""
        X = as_examples(self._who("fit"), X, self.dtype, features=input_width(self.net))
        return X, expect_labels(self._who("fit"), y, len(X), self.classes)

    @property
    def classes(self) -> Any:
        """C, the number of classes; None before the first fit of a model that takes it from the data."""
        last: Any = self.net[-1] if hasattr(self, "net") else None
        return None if last is None else last.out_features

    def _probabilities(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return Categorical.probabilities(self._logits(X, method))

    def _number_of_classes(self) -> int:
        self._expect_fitted("net")
        return self.classes

    def _predict(self, method: str, X: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return self._logits(X, method).argmax(axis=1)

    def log_prob_gradient(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """∇ₓ log p(y | x), the gradient with respect to each example: X (N, D), labels y (N,) -> (N, D).

        Classifier guidance adds it to a score; see ClassifierGuidance.
        """
        who = self._who("log_prob_gradient")
        self._expect_fitted("net")
        X = as_examples(who, X, self.dtype, features=input_width(self.net))
        y = expect_labels(who, y, len(X), self.classes)

        def gradient(rows: np.ndarray) -> np.ndarray:
            with self.net.frozen():
                logits, cache = self.net.forward(X[rows])
                _, dlogits = softmax_cross_entropy(logits, y[rows])
                # (CE.2) is the gradient of the mean of −log p, hence −N
                dx: np.ndarray = self.net.backward(-dlogits.dtype.type(len(rows)) * dlogits, cache)
            return dx                                           # (CE.3)

        return in_batches(gradient, np.arange(len(X)))

    def features(self, X: np.ndarray) -> np.ndarray:
        """The input of the last layer: (N, D) -> (N, F)."""
        self._expect_fitted("net")
        X = as_examples(self._who("features"), X, self.dtype, features=input_width(self.net))
        body = Sequential(*self.net.layers[:-1])
        return in_batches(lambda x: body.forward(x)[0], X)

    def _logits(self, X: np.ndarray, method: str) -> np.ndarray:
        self._expect_fitted("net")
        X = as_examples(self._who(method), X, self.dtype, features=input_width(self.net))
        return in_batches(lambda x: self.net.forward(x)[0], X)


class MLPClassifier(NetClassifier):
    """Linear layers with an activation between any two; the last gives the logits of the classes.

    features, classes : D and C; the first `fit` takes those that are None from its data, and builds the net
    hidden : widths of the hidden layers, by default (64,)
    sizes : the same widths in one sequence, (features, *hidden, classes), instead of the three arguments

    Loss and gradient are (CE.1) and (CE.2). Raises ValueError for fewer than two sizes.
    """

    def __init__(
        self,
        sizes: Sequence[int] | None = None,
        *,
        features: int | None = None,
        hidden: int | Sequence[int] | None = None,
        classes: int | None = None,
        rng: np.random.Generator | int,
        activation: type[Activation] = SiLU,
        dtype: Any = np.float32,
    ):
        found, net_args = dense_arguments(
            type(self).__name__, sizes, (1, 64, 2), features, hidden, classes, last="classes",
            rng=rng, activation=activation, dtype=dtype,
        )
        self.sizes: tuple[int | None, ...] = found if sizes else (features, *found[1:-1], classes)
        if None in self.sizes:
            self._net_args = net_args
        else:
            self.net = dense(found, **net_args)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Check X (N, D) and labels y (N,); build the network if it does not exist yet."""
        if hasattr(self, "net"):
            return super().check_data(X, y)
        features, *hidden, classes = self.sizes
        X, y, classes = expect_labelled(
            self._who("fit"), X, y, classes=classes, features=features, dtype=self._net_args["dtype"]
        )
        self.sizes = sizes = (X.shape[1], *(width for width in hidden if width is not None), classes)
        self.net = dense(sizes, **self._net_args)
        del self._net_args
        return X, y

    def __repr__(self) -> str:
        features, *hidden, classes = self.sizes
        if None not in self.sizes:
            return f"MLPClassifier({self.sizes})"
        given = {"features": features, "hidden": tuple(hidden), "classes": classes}
        return f"MLPClassifier({', '.join(f'{k}={v}' for k, v in given.items() if v is not None)})"


class ConvClassifier(NetClassifier):
    """Three 3×3 convolutions and dense layers, for images; loss and gradient are (CE.1) and (CE.2).

    H×W×C → H×W×C1 → pool, H/2×W/2×C1 → H/2×W/2×C2 → pool, H/4×W/4×C2 → H/4×W/4×C3 → hidden → classes, with
    SiLU after every convolution and hidden layer. Where there is pooling, SiLU follows the pooling, since it
    is then applied to a quarter of the pixels.

    channels : (C1, C2, C3);  hidden : widths of the dense layers; an int stands for one layer
    classes : number of classes
    shape : (H, W, C) of the images, with H and W of at least 4; examples are rows of H·W·C numbers. Pooling
        rounds H/2 and so on down
    """

    def __init__(
        self,
        channels: tuple[int, int, int] = (16, 32, 64),
        hidden: int | Sequence[int] = (128,),
        classes: int = 10,
        *,
        shape: tuple[int, int, int] = (28, 28, 1),
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
    ):
        who = type(self).__name__
        count(who, "classes", classes)
        self.channels, self.hidden = as_channels(who, channels, 3), widths(who, "hidden", hidden)
        self.shape = height, width, depth = image_shape(who, shape, least=4)
        c1, c2, c3 = channels
        net_args: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": as_dtype(who, dtype)}
        sizes = (height // 4 * (width // 4) * c3, *self.hidden, classes)
        layers: list[Layer] = [
            Reshape(height, width, depth),
            Conv2d(depth, c1, 3, padding=1, **net_args),
            MaxPool2d(2),
            SiLU(),
            Conv2d(c1, c2, 3, padding=1, **net_args),
            MaxPool2d(2),
            SiLU(),
            Conv2d(c2, c3, 3, padding=1, **net_args),
            SiLU(),
            Flatten(),
        ]
        layers += dense(sizes, activation=SiLU, **net_args).layers
        self.net = Sequential(*layers)
