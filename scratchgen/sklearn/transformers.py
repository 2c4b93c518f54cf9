"""Transformers for scikit-learn: PCA, the autoencoder and the VAE, which map examples to codes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from scratchgen import models
from scratchgen.layers import Activation, SiLU
from scratchgen.models.vae.observation import BernoulliPixels, NormalPixels
from scratchgen.sklearn.base import LikelihoodMixin, ModelEstimator, UnsupervisedTraining

OBSERVATIONS = ("normal", "bernoulli")


class CodeTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ModelEstimator):
    """A transformer that maps examples to latent codes, and codes back to examples."""

    def transform(self, X: Any) -> np.ndarray:
        """The latent codes of X: (N, D) -> (N, K)."""
        X = self._new_data(X)
        return self.model_.transform(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The examples of latent codes: (N, K) -> (N, D)."""
        return self.model_.inverse_transform(self._codes(X))

    def _codes(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        return check_array(X, dtype=self._dtype(), order="C")

    @property
    def _n_features_out(self) -> int:
        return self.model_.code

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class PCA(LikelihoodMixin, CodeTransformer):
    """Principal component analysis, with the density of probabilistic PCA.

    n_components : their number; None for all features; or a number between 0 and 1, the share of the variance
        that the components have to explain. `score_samples` needs fewer components than features
    random_state : seed of `sample`; `fit` uses no random numbers
    model_ : a scratchgen.models.PCA
    components_ : (K, D);  mean_ : (D,);  n_components_ : K
    explained_variance_, explained_variance_ratio_ : (K,); the variances are divided by N (scikit-learn
        divides them by N − 1)
    """

    least_samples = 2

    def __init__(self, n_components: int | float | None = None, random_state: Any = None):
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the components of X (N, D); y is ignored.

        sample_weight : (N,); an example of weight 2 counts as two equal examples
        """
        X = self._training_data(X)
        model = models.PCA(self.n_components).fit(X, sample_weight=sample_weight)
        self.model_, self.n_components_ = model, model.code
        self.components_, self.mean_ = model.components_, model.mean_
        self.explained_variance_ = model.explained_variance_
        total = model.explained_variance_.sum() + model.noise_variance_ * (X.shape[1] - model.code)
        self.explained_variance_ratio_ = model.explained_variance_ / max(total, np.finfo(float).tiny)
        return self


class Autoencoder(UnsupervisedTraining, CodeTransformer):
    """An autoencoder with dense layers, trained by Adam on batches.

    hidden : widths of the encoder's hidden layers; the decoder has the same in reverse order
    code : K, the width of the latent code;  activation : the class of a layer, such as SiLU
    output_range : the range of the data and of the reconstructions, such as (0, 1); None for any data
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights and of the order of the examples
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.Autoencoder;  loss_curve_ : the mean loss in each epoch
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64,),
        code: int = 2,
        activation: type[Activation] = SiLU,
        output_range: tuple[float, float] | None = None,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 3e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.code = code
        self.activation = activation
        self.output_range = output_range
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        return models.Autoencoder.dense(
            features=X.shape[1], hidden=self.hidden, code=self.code, activation=self.activation, rng=rng,
            dtype=X.dtype, output_range=self.output_range,
        )

    def score(self, X: Any, y: Any = None) -> float:
        """The negative squared error of the reconstructions, −1/N · Σₙ ‖outₙ − xₙ‖²; y is ignored."""
        X = self._new_data(X)
        return -float(((self.model_.reconstruct(X) - X) ** 2).sum(axis=1).mean())


class VAE(LikelihoodMixin, UnsupervisedTraining, CodeTransformer):
    """A variational autoencoder with dense layers, trained by Adam on batches.

    hidden : widths of the encoder's hidden layers; the decoder has the same in reverse order
    code : K, the width of the latent code;  activation : the class of a layer, such as SiLU
    observation : "normal" for any numbers; "bernoulli" for features that are 0 or 1, or in between in `fit`
    std : the standard deviation of normal observations around the decoder's output
    beta : weight of the KL divergence in the loss
    codes_per_example : the number of latent codes with which `score_samples` estimates log p(x)
    epochs, batch_size, lr : passes over the data, examples in a batch, and learning rate or schedule
    random_state : seed of the initial weights, of the noise, of the order of the examples and of `sample`
    warm_start : whether `fit` continues with the weights of the last fit
    model_ : a scratchgen.models.VAE;  loss_curve_ : the mean loss in each epoch
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64,),
        code: int = 2,
        activation: type[Activation] = SiLU,
        observation: str = "normal",
        std: float = 1.0,
        beta: float = 1.0,
        codes_per_example: int = 100,
        epochs: int = 100,
        batch_size: int = 128,
        lr: Any = 3e-3,
        random_state: Any = None,
        warm_start: bool = False,
    ):
        self.hidden = hidden
        self.code = code
        self.activation = activation
        self.observation = observation
        self.std = std
        self.beta = beta
        self.codes_per_example = codes_per_example
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.warm_start = warm_start

    def _build(self, X: np.ndarray, rng: np.random.Generator, classes: int) -> Any:
        if self.observation not in OBSERVATIONS:
            raise ValueError(
                f"VAE.fit expected observation to be 'normal' or 'bernoulli', got {self.observation!r}"
            )
        return models.VAE.dense(
            features=X.shape[1], hidden=self.hidden, code=self.code, activation=self.activation, rng=rng,
            dtype=X.dtype, beta=self.beta,
            observation=NormalPixels(self.std) if self.observation == "normal" else BernoulliPixels(),
        )

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) in nats of each example, (N,), estimated by importance sampling with a fixed seed."""
        X = self._new_data(X)
        return self.model_.score_samples(X, samples=self.codes_per_example)


