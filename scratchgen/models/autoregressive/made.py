"""MADE: a dense network with masks, whose D outputs are the D conditionals of the chain rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scratchgen.checks import as_generator
from scratchgen.distributions import Bernoulli
from scratchgen.layers import Layer, Linear, MaskedLinear, ReLU, Sequential
from scratchgen.layers.masked import Connections, connections
from scratchgen.losses import bce_with_logits
from scratchgen.models.arguments import as_dtype, choice, count, widths
from scratchgen.models.autoregressive.binary import BinaryModel
from scratchgen.models.autoregressive.made_sampling import fill
from scratchgen.models.networks import in_batches

ORDERS = ("natural", "random")


class MaskedNet(Layer):
    """Masked linear layers with ReLUs between them; a label may add a term to each layer.

    (MADE.4)  aˡ = hˡ⁻¹·(Mˡ∘Wˡ) + bˡ + Vˡ[y],  hˡ = max(aˡ, 0)             h⁰ = x; the last a are the logits

    masks : one for each layer, (D, H₁), …, (H_L, D);  onehot (N, classes), without columns for 0 classes
    """

    def __init__(self, masks: Sequence[np.ndarray], classes: int, *, rng: np.random.Generator, dtype: Any):
        net_args: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.layers = Sequential(
            *(MaskedLinear(len(mask), mask.shape[1], mask, **net_args) for mask in masks)
        )
        self.labels = Sequential(
            *(Linear(classes, mask.shape[1], bias=False, **net_args) for mask in masks if classes)
        )
        self.relu = ReLU()

    def forward(
        self,
        x: np.ndarray,
        training: bool = False,
        masks: Sequence[Any] | None = None,
        onehot: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Any]:
        """Return (logits, cache) for this call's masks, which are arrays or Connections."""
        masks = masks if masks is not None else [None] * len(self.layers)
        h, caches = x, []
        for i, mask in enumerate(masks):
            layer: Any = self.layers[i]
            out, cache = layer.forward(h, training, mask)
            if onehot is not None and len(self.labels):
                out += self.labels[i].forward(onehot)[0]        # (MADE.4)  (N, H_i)
            last = i == len(masks) - 1
            h, kink = (out, None) if last else self.relu.forward(out)
            caches.append((cache, kink))
        return h, (caches, onehot)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        caches, onehot = cache
        for i in range(len(caches) - 1, -1, -1):
            layer_cache, kink = caches[i]
            if kink is not None:                                # h = max(out, 0)
                dout = self.relu.backward(dout, kink)
            if len(self.labels):                                # out += onehot·V
                self.labels[i].backward(dout, onehot, input_grad=False)
            dout = self.layers[i].backward(dout, layer_cache, input_grad or i > 0)
        return dout


class MADECache(NamedTuple):
    """The values that backward needs."""

    net: Any                # the network's cache
    dlogits: np.ndarray     # (N, D)


class KeptMasks(NamedTuple):
    """The masks of one ordering, and the places and degrees that they were made from."""

    degrees: list[np.ndarray]
    connections: tuple[Connections, ...]


class MADE(BinaryModel):
    """The masked autoencoder for distribution estimation (Germain et al. 2015), for pixels that are 0 or 1.

    Every pixel has a place t(d), from 1 to D, in an ordering, and depends only on the pixels before it:

    (MADE.1)  log p(x) = Σ_d log p(x_d | x_e with t(e) < t(d))          the chain rule: exact, no bound
    (MADE.2)  M[e, j] = t(e) ≤ m(j),  M[i, j] = m(i) ≤ m(j)             a hidden unit of degree m depends
                                                                        on the first m pixels only
    (MADE.3)  M[i, d] = m(i) < t(d)                                     a logit depends on those before it
    (MADE.5)  loss = 1/N · Σₙ −log p(xₙ)                                in nats, from the logits of (MADE.4)
    (MADE.6)  dlogits = 1/N · (σ(logits) − x)
    (MADE.7)  log p(x) = log 1/O · Σ_o p_o(x)                           several orderings: the average of
                                                                        probabilities, not of logits

    x (N, D). Derived in docs/autoregressive.md.

    features, hidden : D, and the widths of the hidden layers
    orderings : number of orderings that share the weights; a training step uses one of them at random
    order : with "natural" the first ordering is row by row and the others are random; with "random" all are
    classes : number of labels. If above 0, each layer adds a term that depends on the label y, and the
        density is p(x | y)
    binarisation : what `fit` does with grey pixels: "none", "dynamic" or "fixed"

    orders (O, D) : t;  degrees (O, H₁ + … + H_L) : m. Both are buffers.
    """

    no_labels_hint = "build the model with classes= to use them"
    buffer_names = ("orders", "degrees")

    def __init__(
        self,
        features: int = 784,
        hidden: int | Sequence[int] = (500,),
        *,
        rng: np.random.Generator | int,
        orderings: int = 1,
        order: str = "natural",
        classes: int = 0,
        binarisation: str = "none",
        dtype: Any = np.float32,
    ):
        super().__init__(features, classes=classes, binarisation=binarisation)
        self.hidden = hidden = widths("MADE", "hidden", hidden)
        if not hidden:
            raise ValueError("MADE expected hidden to be the widths of one or more hidden layers, got none")
        self.orderings = count("MADE", "orderings", orderings)
        self.order = choice("MADE", "order", order, ORDERS)
        rng, dtype = as_generator("MADE", rng), as_dtype("MADE", dtype)
        self.orders = np.tile(np.arange(1, features + 1, dtype=np.int32), (orderings, 1))   # (O, D)
        spread = [1 + np.arange(width, dtype=np.int32) * (features - 1) // width for width in hidden]
        self.degrees = np.tile(np.concatenate(spread), (orderings, 1))                      # (O, ΣH)
        for o in range(1 if order == "natural" else 0, orderings):
            rng.shuffle(self.orders[o])
            for part in self._parts(self.degrees[o]):
                rng.shuffle(part)
        self._kept: dict[int, KeptMasks] = {}
        self.net = MaskedNet(self.masks(0), classes, rng=rng, dtype=dtype)

    def saved_state(self) -> dict[str, Any]:
        """The attributes to save: all except the cached masks."""
        return {name: value for name, value in vars(self).items() if name != "_kept"}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Set the attributes that saved_state returned."""
        vars(self).update({**state, "_kept": {}})

    def _parts(self, degrees: np.ndarray) -> list[np.ndarray]:
        """The degrees of one ordering, layer by layer."""
        return np.split(degrees, np.cumsum(self.hidden)[:-1])

    def layer_degrees(self, ordering: int) -> list[np.ndarray]:
        """The degrees of the hidden units under one ordering, layer by layer: (H₁,), …, (H_L,)."""
        return self._parts(self.degrees[ordering])

    def masks(self, ordering: int) -> list[np.ndarray]:
        """The masks of one ordering, (D, H₁), …, (H_L, D), True where output j may depend on input i."""
        return [layer.mask.copy() for layer in self._connections(ordering)]

    def _connections(self, ordering: int) -> tuple[Connections, ...]:
        """The masks of an ordering, cached because computing them takes 0.4 of the 2.3 ms of a training step.

        (784-500-784, batch 128.) They are computed again if a checkpoint has changed the orders or degrees.
        """
        degrees = [self.orders[ordering], *self.layer_degrees(ordering)]
        kept = self._kept.get(ordering)
        if kept is not None and all(map(np.array_equal, kept.degrees, degrees)):
            return kept.connections
        masks = [m_in[:, None] <= m_out for m_in, m_out in pairwise(degrees)]               # (MADE.2)
        masks.append(degrees[-1][:, None] < degrees[0])                                     # (MADE.3)
        found = tuple(connections(mask) for mask in masks)
        self._kept[ordering] = KeptMasks([part.copy() for part in degrees], found)
        return found

    def logits(
        self, x: np.ndarray, y: np.ndarray | None = None, ordering: int = 0
    ) -> tuple[np.ndarray, Any]:
        """Return the D logits of one ordering, (N, D), and the network's cache."""
        y = self.labels(y, len(x))
        onehot = self.onehot(y, len(x)) if self.classes else None
        return self.net.forward(x, masks=self._connections(ordering), onehot=onehot)

    def loss(
        self,
        x: np.ndarray,
        y: np.ndarray | None = None,
        *,
        ordering: int | None = None,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, MADECache]:
        """Return (loss, cache) for x (N, D), and labels y (N,) if the model has classes.

        ordering : index of the ordering to use; without it, rng chooses one at random if there are several
        """
        logits, net = self.logits(x, y, self._ordering(ordering, rng))
        loss, dlogits = bce_with_logits(logits, x)              # (MADE.1, MADE.5, MADE.6)  (N, D)
        return loss, MADECache(net, dlogits)

    def backward(self, cache: MADECache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, D)."""
        self.net.backward(cache.dlogits, cache.net, input_grad=False)
        return {"dlogits": cache.dlogits}

    def _ordering(self, ordering: int | None, rng: np.random.Generator | int | None) -> int:
        count = len(self.orders)
        if ordering is None and count == 1:
            return 0
        if ordering is None and rng is None:
            raise ValueError(f"MADE.loss expected an ordering from 0 to {count - 1}, or an rng to choose it")
        if ordering is None:
            return int(as_generator("MADE.loss", rng).integers(count))
        if not 0 <= ordering < count:
            raise ValueError(f"MADE expected an ordering from 0 to {count - 1}, got {ordering}")
        return ordering

    def score_samples(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Exact log p(x) in nats of each example, (N,); with labels y, log p(x | y)."""
        X = self.expect_binary("score_samples", X)
        y = self.labels(y, len(X), "score_samples")
        total = np.full(len(X), -np.inf)
        for ordering in range(len(self.orders)):
            total = np.logaddexp(total, self._log_prob(X, y, ordering))
        return total - math.log(len(self.orders))               # (MADE.7)

    def _log_prob(
        self, X: np.ndarray, y: np.ndarray | None, ordering: int, of: Any = slice(None)
    ) -> np.ndarray:
        """log p(x) under one ordering, (N,), or only of the pixels `of`, which come first in it."""

        def of_rows(rows: np.ndarray) -> np.ndarray:
            labels = None if y is None else y[rows]
            logits, _ = self.logits(X[rows], labels, ordering)
            return Bernoulli.log_prob(X[rows], logits)[:, of].sum(axis=1, dtype=np.float64)  # (MADE.1)

        return in_batches(of_rows, np.arange(len(X)))

    def sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n examples, (n, D), from p(x) or p(x | y) for n labels y, each with a random ordering."""
        self._expect_count(n)
        rng = as_generator(self._who("sample"), rng)
        y = self.labels(y, n, "sample")
        chosen = rng.integers(len(self.orders), size=n)
        return self._fill(np.zeros((n, self.features), self.dtype), 0, chosen, y, rng)

    def complete(
        self,
        X: np.ndarray,
        observed: np.ndarray,
        *,
        rng: np.random.Generator | int,
        y: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw the unobserved pixels from their exact distribution given the observed ones, (N, D).

        X (N, D), whose values at unobserved pixels are ignored; observed (D,) of bool

        The chain rule predicts later pixels from earlier ones, so the observed pixels must come first in
        every ordering. Raises ValueError otherwise. With several orderings, each is chosen with a probability
        proportional to the one that it gives to the observed pixels:
        p(rest | observed) ∝ Σ_o p_o(observed)·p_o(rest | observed).
        """
        rng = as_generator(self._who("complete"), rng)
        known = self.known_places(observed, self.orders)
        X = self.only_observed(X, observed)
        y = self.labels(y, len(X), "complete")
        return self._fill(X, known, self._ordering_given(X, y, observed, rng), y, rng)

    def _ordering_given(
        self, X: np.ndarray, y: np.ndarray | None, observed: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """A random ordering for each example, (N,), with probabilities proportional to p_o(observed)."""
        if len(self.orders) == 1:
            return np.zeros(len(X), np.int64)
        log_p = np.array([self._log_prob(X, y, o, observed) for o in range(len(self.orders))])  # (O, N)
        reached = np.exp(log_p - log_p.max(axis=0)).cumsum(axis=0)
        return (reached[:-1] <= rng.random(len(X)) * reached[-1]).sum(axis=0)

    def _fill(
        self,
        x: np.ndarray,
        known: int,
        chosen: np.ndarray,
        y: np.ndarray | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Sample the pixels of x (N, D) after the first `known` of each example's ordering."""
        uniform = rng.random(x.shape, x.dtype)
        for ordering in np.unique(chosen):
            rows = chosen == ordering
            part = x[rows]
            fill(self, uniform[rows], known, ordering, None if y is None else y[rows], part)
            x[rows] = part
        return x
