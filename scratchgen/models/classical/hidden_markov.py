"""The hidden Markov model, fitted by expectation-maximisation, whose E-step is a backward pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.array_hints import array_hint
from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.distributions import Categorical as Softmax
from scratchgen.distributions import log_sum_exp
from scratchgen.models.arguments import as_dtype, count, finite, flag
from scratchgen.models.base import Model
from scratchgen.models.classical.base import NotConverged
from scratchgen.models.classical.emissions import Categorical, Gaussian, log_shares
from scratchgen.module import Parameter
from scratchgen.training.earlier import level_of_caller, mark_as_trained, warn_of_earlier_training


class ForwardPass(NamedTuple):
    """The values that backward needs."""

    x: np.ndarray           # (N, T)
    alpha: np.ndarray       # (N, T, K)
    log_b: np.ndarray       # (N, T, K)
    log_px: np.ndarray      # (N,)


class HiddenMarkovModel(Model):
    """A chain of hidden states, each of which emits one observation (Rabiner 1989).

    With π_i = p(z_1 = i), A_ij = p(z_t = j | z_{t−1} = i), b_t(j) = p(x_t | z_t = j):

    (HMM.1)  alpha_1(j) = log π_j + log b_1(j)
             alpha_t(j) = log Σ_i exp(alpha_{t−1}(i) + log A_ij) + log b_t(j)     = log p(x_1…x_t, z_t = j)
    (HMM.2)  log p(x) = log Σ_j exp alpha_T(j),   loss = −1/N · Σₙ log p(xₙ)
    (HMM.3)  dalpha_T(j) = exp(alpha_T(j) − log p(x))                                 of log p(x)
             w_t(i, j) = exp(alpha_{t−1}(i) + log A_ij − alpha_t(j) + log b_t(j))     sums to 1 over i
             dalpha_{t−1}(i) = Σ_j w_t(i, j)·dalpha_t(j)
    (HMM.4)  dlog b_t(j) = dalpha_t(j),  dlog A_ij = Σ_t w_t(i, j)·dalpha_t(j),  dlog π_j = dalpha_1(j)

    These gradients are posterior expectations: dlog b_t(j) = p(z_t = j | x), and dlog A_ij is the expected
    number of steps from i to j, given x. `posterior_counts` computes the same without a gradient. So `fit` is
    expectation-maximisation (Baum & Welch) with a backward pass as its E-step:

    (HMM.7)  A_ij ← dlog A_ij / Σ_j dlog A_ij,  and likewise π and the emissions

    Derived in docs/discriminative.md. Data: sequences of the same length, (N, T); integers for categorical
    emissions, floats for Gaussian ones. `fit`, `score_samples` and `viterbi` also take a list of sequences of
    different lengths, (T_1,), (T_2,), …. Log-probabilities are in float64 for parameters of any dtype.

    start (K,), transition (K, K) : Parameters, the logits of π and of the rows of A
    emissions : Categorical or Gaussian, of K states
    """

    likelihood = "exact"

    def __init__(self, emissions: Categorical | Gaussian, *, rng: np.random.Generator | int):
        if not isinstance(emissions, Categorical | Gaussian):
            raise TypeError(
                f"{type(self).__name__} expected emissions to be a Categorical or Gaussian, got {emissions!r}"
            )
        rng = as_generator(type(self).__name__, rng)
        states = next(iter(emissions.parameters().values())).shape[0]
        self.start = Parameter(rng.standard_normal(states).astype(emissions.dtype))
        self.transition = Parameter(rng.standard_normal((states, states)).astype(emissions.dtype))
        self.emissions = emissions

    @classmethod
    def categorical(
        cls, states: int, symbols: int, *, rng: np.random.Generator | int, dtype: Any = np.float64
    ) -> Self:
        """States that emit symbols, 0 … symbols − 1."""
        who = f"{cls.__name__}.categorical"
        count(who, "states", states)
        count(who, "symbols", symbols, least=2)
        rng, dtype = as_generator(who, rng), as_dtype(who, dtype)
        return cls(Categorical(states, symbols, rng=rng, dtype=dtype), rng=rng)

    @classmethod
    def gaussian(cls, states: int, *, rng: np.random.Generator | int, dtype: Any = np.float64) -> Self:
        """States that emit numbers, each from its own Normal distribution."""
        who = f"{cls.__name__}.gaussian"
        count(who, "states", states)
        rng, dtype = as_generator(who, rng), as_dtype(who, dtype)
        return cls(Gaussian(states, rng=rng, dtype=dtype), rng=rng)

    def loss(
        self, x: np.ndarray, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, ForwardPass]:
        """Return (loss, cache) for x (N, T)."""
        cache = self._forward(self.emissions.as_data(self._who("loss"), x))
        return -float(cache.log_px.mean()), cache               # (HMM.2)

    def _forward(self, x: np.ndarray) -> ForwardPass:
        log_a, log_b = Softmax.log_probabilities(self.transition.value), self._log_b(x)
        alpha = np.empty_like(log_b)                            # (N, T, K)
        alpha[:, 0] = Softmax.log_probabilities(self.start.value) + log_b[:, 0]                   # (HMM.1)
        for t in range(1, x.shape[1]):
            joint = alpha[:, t - 1, :, None] + log_a            # (N, K from, K to)
            alpha[:, t] = log_sum_exp(joint.swapaxes(1, 2)) + log_b[:, t]           # (HMM.1)
        return ForwardPass(x, alpha, log_b, log_sum_exp(alpha[:, -1]))

    def _log_b(self, x: np.ndarray) -> np.ndarray:
        """log p(x_t | state), in float64: (N, T) -> (N, T, K). Raises ValueError if one is not finite."""
        with np.errstate(over="ignore"):
            # alpha is a sum over all earlier steps; float32 would round away the differences between states
            log_b = self.emissions.log_prob(x).astype(np.float64)
        not_finite = ~np.isfinite(log_b).all(axis=(1, 2))
        if not_finite.any():
            raise ValueError(
                "HiddenMarkovModel expected observations with a finite log-density, got one that is too far "
                f"from all states (first in row {not_finite.argmax()})"
            )
        return log_b

    def backward(self, cache: ForwardPass) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlog_start (K,), dlog_transition (K, K), dlog_b (N, T, K)."""
        x, alpha, log_b, log_px = cache
        log_a, dlog_b = Softmax.log_probabilities(self.transition.value), np.empty_like(log_b)
        dlog_a = np.zeros_like(log_a)
        dalpha = -np.exp(alpha[:, -1] - log_px[:, None]) / len(x)                   # (HMM.3)
        for t in range(x.shape[1] - 1, 0, -1):
            dlog_b[:, t] = dalpha                                                   # (HMM.4)
            total = (alpha[:, t] - log_b[:, t])[:, None, :]     # log Σ exp of the forward pass
            flow = np.exp(alpha[:, t - 1, :, None] + log_a - total) * dalpha[:, None, :]
            dlog_a = dlog_a + flow.sum(axis=0)                                      # (HMM.4)
            dalpha = flow.sum(axis=2)                                               # (HMM.3)
        dlog_b[:, 0] = dalpha
        dlog_start = dalpha.sum(axis=0)
        if self.trainable:
            self.start.grad += Softmax.log_probabilities_backward(dlog_start, self.start.value)
            self.transition.grad += Softmax.log_probabilities_backward(
                dlog_a, self.transition.value
            )
            self.emissions.add_gradient(x, dlog_b)
        return {"dlog_start": dlog_start, "dlog_transition": dlog_a, "dlog_b": dlog_b}

    def posterior_counts(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p(z_t | x), (N, T, K), and the expected number of steps from i to j in all of X, (K, K).

        By the forward-backward algorithm, without gradients:

        (HMM.5)  beta_T(i) = 0,   beta_{t−1}(i) = log Σ_j exp(log A_ij + log b_t(j) + beta_t(j))
        (HMM.6)  p(z_t = j | x) = exp(alpha_t(j) + beta_t(j) − log p(x)),   and z_{t−1} = i, z_t = j together
                 exp(alpha_{t−1}(i) + log A_ij + log b_t(j) + beta_t(j) − log p(x))
        """
        X = self.emissions.as_data(self._who("posterior_counts"), X)
        _, alpha, log_b, log_px = self._forward(X)
        log_a, beta = Softmax.log_probabilities(self.transition.value), np.zeros_like(alpha)
        steps = np.zeros_like(log_a)
        for t in range(X.shape[1] - 1, 0, -1):
            onward = log_a + (log_b[:, t] + beta[:, t])[:, None, :]                 # (N, K from, K to)
            beta[:, t - 1] = log_sum_exp(onward)                                    # (HMM.5)
            both = alpha[:, t - 1, :, None] + onward - log_px[:, None, None]
            steps += np.exp(both).sum(axis=0)                                       # (HMM.6)
        return np.exp(alpha + beta - log_px[:, None, None]), steps                  # (HMM.6)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Check sequences X (N, T)."""
        expect_no_labels(self._who("fit"), y)
        return self.emissions.as_data(self._who("fit"), X), None

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Start Gaussian emissions from the mean and spread of the data."""
        self.emissions.start_from(X)
        return X

    def fit(  # type: ignore[override]  # expectation-maximisation takes other settings than Adam
        self,
        X: np.ndarray | Sequence[np.ndarray],
        y: None = None,
        *,
        iterations: int = 100,
        tolerance: float = 1e-6,
        smoothing: float = 1e-6,
        warm_start: bool = False,
    ) -> Self:
        """Expectation-maximisation on sequences X (N, T) or a list, starting from the current parameters.

        Apart from the effect of the smoothing, no step lowers the likelihood. The start decides which maximum
        is reached. Gaussian emissions that still have their initial values start from the mean and spread of
        the data. The fit ends when a step raises the mean log p(x) by at most `tolerance`, or after
        `iterations` steps. If the last step still raised it by more, `fit` warns with NotConverged.

        smoothing : added to every expected count, > 0, so that a state without visits keeps a distribution
        warm_start : whether to continue from an earlier fit without a warning
        history_ : the mean log p(x) in nats before each step, and after the last
        """
        expect_no_labels(self._who("fit"), y)
        groups = [x for _, x in self._by_length("fit", X)]
        who = self._who("fit")
        count(who, "iterations", iterations)
        finite(who, "tolerance", tolerance, least=0)
        finite(who, "smoothing", smoothing, above=0)
        flag(who, "warm_start", warm_start)
        together = groups[0] if len(groups) == 1 else np.concatenate([x.ravel() for x in groups])[None]
        self.emissions.start_from(together)
        if not warm_start:
            warn_of_earlier_training(self)
        mark_as_trained(self)
        self.history_ = []
        for _ in range(iterations):
            caches = [self._forward(x) for x in groups]
            self.history_.append(_mean_log_px(caches))
            if len(self.history_) > 1 and self.history_[-1] - self.history_[-2] <= tolerance:
                return self
            start, transition, weights = self._expected_counts(caches)
            self.start.value[...] = log_shares(start + smoothing)               # (HMM.7)
            self.transition.value[...] = log_shares(transition + smoothing)     # (HMM.7)
            self.emissions.maximise(together, weights, smoothing)
        self.history_.append(_mean_log_px([self._forward(x) for x in groups]))
        rise = self.history_[-1] - self.history_[-2]
        if rise > tolerance:
            warnings.warn(
                f"HiddenMarkovModel.fit ended after {iterations} iterations, the last of which raised the "
                f"mean log p(x) by {rise:.2g}, above the tolerance of {tolerance:g}: allow more iterations",
                NotConverged,
                stacklevel=level_of_caller(),
            )
        return self

    def _expected_counts(self, caches: Sequence[ForwardPass]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The expected counts of first states (K,) and steps (K, K), and p(z_t | x) of each observation."""
        with self.frozen():
            grads = [
                {name: -len(cache.x) * grad for name, grad in self.backward(cache).items()}
                for cache in caches
            ]
        start, transition = (
            np.sum([g[name] for g in grads], axis=0) for name in ("dlog_start", "dlog_transition")
        )
        if len(grads) == 1:
            return start, transition, grads[0]["dlog_b"]        # (N, T, K)
        weights = [g["dlog_b"].reshape(1, -1, len(start)) for g in grads]
        return start, transition, np.concatenate(weights, axis=1)   # (1, ΣT, K)

    def score_samples(self, X: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Exact log p(x) in nats of each sequence of X (N, T) or of a list, (N,)."""
        groups = self._by_length("score_samples", X)
        scores = np.empty(len(X))
        for rows, x in groups:
            scores[rows] = self._forward(x).log_px
        return scores

    def viterbi(self, X: np.ndarray | Sequence[np.ndarray]) -> np.ndarray | list[np.ndarray]:
        """The most likely states of each sequence of X (N, T), as integers (N, T); for a list, a list.

        (HMM.8)  delta_1(j) = log π_j + log b_1(j)
                 delta_t(j) = max_i [delta_{t−1}(i) + log A_ij] + log b_t(j),   from_t(j) = that i
        (HMM.9)  z_T = argmax_j delta_T(j),   z_{t−1} = from_t(z_t)

        This path maximises p(z | x) as a whole. The most likely state of each single step, the argmax of
        `posterior_counts`, may form another path. Of equally likely states the first is taken.
        """
        groups = self._by_length("viterbi", X)
        paths: list[np.ndarray] = [np.empty(0)] * len(X)
        for rows, x in groups:
            for row, path in zip(rows, self._best_paths(x), strict=True):
                paths[row] = path
        return np.stack(paths) if isinstance(X, np.ndarray) else paths

    def _best_paths(self, x: np.ndarray) -> np.ndarray:
        """The most likely states of sequences of one length, (N, T)."""
        log_b, log_a = self._log_b(x), Softmax.log_probabilities(self.transition.value)
        before = np.empty(log_b.shape, np.int64)                # the state before the last one, (N, T, K)
        delta = Softmax.log_probabilities(self.start.value) + log_b[:, 0]           # (HMM.8)
        for t in range(1, x.shape[1]):
            reach = delta[:, :, None] + log_a                   # (N, K from, K to)
            before[:, t] = reach.argmax(axis=1)                                     # (HMM.8)
            delta = reach.max(axis=1) + log_b[:, t]                                 # (HMM.8)
        path = np.empty(x.shape, np.int64)
        path[:, -1] = delta.argmax(axis=1)                                          # (HMM.9)
        for t in range(x.shape[1] - 1, 0, -1):
            path[:, t - 1] = np.take_along_axis(before[:, t], path[:, t, None], axis=1)[:, 0]   # (HMM.9)
        return path

    def _by_length(self, verb: str, X: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """The sequences grouped by length: for each length the indices in X (M,) and the sequences (M, T)."""
        who = self._who(verb)
        if not isinstance(X, list | tuple):
            X = self.emissions.as_data(who, X)
            return [(np.arange(len(X)), X)]
        if not X:
            raise ValueError(f"{who} expected at least one sequence, got an empty list")
        checked = []
        for i, x in enumerate(X):
            if not isinstance(x, np.ndarray) or x.ndim != 1:
                got = f"shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
                hint = "" if isinstance(x, np.ndarray) else array_hint(x, "float64")
                raise ValueError(f"{who} expected a list of arrays (T,), got {got} at index {i}{hint}")
            checked.append(self.emissions.as_data(f"{who}, in sequence {i},", x[None])[0])
        lengths = np.array([len(x) for x in checked])
        rows = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        return [(group, np.stack([checked[i] for i in group])) for group in rows]

    def sample(self, n: int, *, rng: np.random.Generator | int, length: int = 1) -> np.ndarray:
        """Draw n sequences, (n, length)."""
        self._expect_count(n)
        count(self._who("sample"), "length", length)
        rng = as_generator(self._who("sample"), rng)
        last = len(self.start.value) - 1
        start = np.exp(Softmax.log_probabilities(self.start.value)).cumsum()
        rows = np.exp(Softmax.log_probabilities(self.transition.value)).cumsum(axis=1)
        states = np.empty((n, length), np.int64)
        for t, uniform in enumerate(rng.random((length, n, 1))):
            edges = rows[states[:, t - 1]] if t else start
            states[:, t] = np.minimum((uniform > edges).sum(axis=1), last)
        return self.emissions.sample(states, rng)


def _mean_log_px(caches: Sequence[ForwardPass]) -> float:
    """The mean of log p(x) over all sequences."""
    return float(np.concatenate([cache.log_px for cache in caches]).mean())
