"""Density estimators for scikit-learn: flows, MADE and flow matching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from scratchgen import models
from scratchgen.sklearn.base import LikelihoodMixin, ModelEstimator, UnsupervisedTraining
from scratchgen.sklearn.transformers import CodeTransformer


class DensityEstimator(LikelihoodMixin, UnsupervisedTraining, DensityMixin, ModelEstimator):
    """A density that is trained by gradient descent: `score_samples`, `score` and `sample`."""

    least_features = 2
    least_samples = 2


class NICE(DensityEstimator, CodeTransformer):
    """A normalizing flow with additive couplings and one scaling layer; its likelihood is exact.

    hidden : widths of the hidden layers in each coupling;  couplings : their number
    prior : the distribution of the codes, "logistic" or "normal"
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights, of the order of the examples and of `sample`
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.NICE;  loss_curve_ : the mean loss in each epoch, in nats

    The features must vary: a constant feature has no density.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64, 64),
        couplings: int = 4,
        prior: str = "logistic",
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 1e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.couplings = couplings
        self.prior = prior
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.NICE.dense(
            X.shape[1], self.hidden, self.couplings, prior=self.prior, rng=rng, dtype=X.dtype
        )


class RealNVP(DensityEstimator, CodeTransformer):
    """A normalizing flow with affine couplings; its likelihood is exact.

    hidden : widths of the hidden layers in each coupling;  couplings : their number
    bound : the largest |log-scale| in each coupling
    prior : the distribution of the codes, "normal" or "logistic"
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights, of the order of the examples and of `sample`
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.RealNVP;  loss_curve_ : the mean loss in each epoch, in nats

    The features must vary: a constant feature has no density.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64, 64),
        couplings: int = 8,
        bound: float = 2.0,
        prior: str = "normal",
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 1e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.couplings = couplings
        self.bound = bound
        self.prior = prior
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.RealNVP.dense(
            X.shape[1], self.hidden, self.couplings, bound=self.bound, prior=self.prior, rng=rng,
            dtype=X.dtype,
        )


class MADE(DensityEstimator):
    """An autoregressive model of features that are 0 or 1; its likelihood is exact.

    hidden : widths of the hidden layers;  orderings : number of orderings of the features
    binarize : features above it count as 1; with None, features must be 0 or 1
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights, of the order of the examples and of `sample`
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.MADE;  loss_curve_ : the mean loss in each epoch, in nats
    """

    least_samples = 1

    def __init__(
        self,
        hidden: int | Sequence[int] = (100,),
        orderings: int = 1,
        binarize: float | None = 0.0,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 3e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.orderings = orderings
        self.binarize = binarize
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.MADE(X.shape[1], self.hidden, orderings=self.orderings, rng=rng, dtype=X.dtype)

    def _prepared(self, X: np.ndarray) -> np.ndarray:
        return X if self.binarize is None else (self.binarize < X).astype(X.dtype)

    def _new_data(self, X: Any) -> np.ndarray:
        return self._prepared(super()._new_data(X))


class FlowMatching(DensityEstimator, CodeTransformer):
    """Flow matching: a velocity field that carries noise to data along straight paths.

    hidden, blocks : width and number of the network's residual blocks
    steps : the number of steps in which `score_samples`, `sample`, `transform` and `inverse_transform` solve
        the differential equation. `score_samples` checks that they are enough. Up to 16 features, the result
        is exact apart from that; above, it is an estimate with a fixed seed
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights, of the noise, of the order of the examples and of `sample`
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.FlowMatching;  loss_curve_ : the mean loss in each epoch

    The features must vary: a constant feature has no density.
    """

    least_features = 1

    def __init__(
        self,
        hidden: int = 64,
        blocks: int = 2,
        steps: int = 25,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 1e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.blocks = blocks
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.FlowMatching.dense(X.shape[1], self.hidden, self.blocks, rng=rng, dtype=X.dtype)

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) in nats of each example, (N,)."""
        X = self._new_data(X)
        return self.model_.score_samples(X, steps=self.steps)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw examples from the model, (n_samples, D)."""
        check_is_fitted(self, "model_")
        return self.model_.sample(n_samples, rng=self._new_rng(random_state), steps=self.steps)

    def transform(self, X: Any) -> np.ndarray:
        """The latent codes that are carried to X: (N, D) -> (N, D)."""
        X = self._new_data(X)
        return self.model_.transform(X, steps=self.steps)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The examples that latent codes are carried to: (N, D) -> (N, D)."""
        codes = self._codes(X)
        return self.model_.inverse_transform(codes, steps=self.steps)
