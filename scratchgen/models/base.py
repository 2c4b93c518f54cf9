"""The base classes of models: scikit-learn's methods, and training by gradient descent.

`Estimator` is the base of all models and declares scikit-learn's methods. `Model` is an Estimator that is
trained by gradient descent: a module with a loss and a backward pass. Models whose fit has a closed form
(PCA, naive Bayes) are Estimators only.

Names that mean the same in all models:

    features        number of columns of X
    hidden          widths of the hidden layers, a sequence
    code            width of the latent code
    shape           (H, W, C) of an image, for convolutional models
    classes         number of labels, 0 … classes − 1
    rng             a numpy Generator or an integer seed
    prior_sample    draw latent codes from the prior
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Self

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.data.batches import Batches
from scratchgen.models.arguments import count, expect_run, learning_rate, named_settings
from scratchgen.models.examples import as_examples, expect_weights
from scratchgen.models.validation import HeldOutLoss
from scratchgen.module import Module, Parameter
from scratchgen.training.earlier import last_history
from scratchgen.training.loop import Augment, Callback, Trainer
from scratchgen.training.optimisers import Adam, Optimizer, Schedule
from scratchgen.training.schedules import Rate, bind
from scratchgen.training.step import training_step

Optimise = Callable[[Mapping[str, Parameter], float | Schedule], Optimizer]
OPTIMIZERS = "a class such as AdamW, or a function (parameters, lr) -> Optimizer"

__all__ = ["Augment", "Estimator", "Model", "NoLikelihood"]


class NoLikelihood(TypeError):
    """Raised when a log-likelihood is requested from a model that has none."""


class Estimator:
    """The base of all models, with the methods of scikit-learn.

    Subclasses define the methods that make sense for them. The others raise an error that explains why the
    model does not have them.

    likelihood : what score_samples returns, "exact", "lower bound", "importance-sampled", or None
    """

    likelihood: str | None = None
    fit: Callable[..., Any]

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """log p(x) in nats of each example, (N,). The attribute `likelihood` says whether it is exact."""
        raise NoLikelihood(f"{type(self).__name__} has no likelihood{self._because('score_samples')}")

    def sample(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Draw n new examples, (n, D)."""
        raise TypeError(f"{type(self).__name__} cannot sample{self._because('sample')}")

    def __repr__(self) -> str:
        """The class name and the settings that differ from their defaults."""
        settings: dict[str, Any] = {}
        constructors = [vars(cls)["__init__"] for cls in type(self).__mro__ if "__init__" in vars(cls)]
        for constructor in constructors:
            parameters = inspect.signature(constructor).parameters
            for name, parameter in parameters.items():
                # A constructor passes its own values for the required arguments of its base class.
                replaced = constructor is not constructors[0] and parameter.default is parameter.empty
                if name in ("self", "rng", "dtype", *settings) or replaced:
                    continue
                if hasattr(self, name):
                    value = _text(getattr(self, name))
                    settings[name] = None if value == repr(parameter.default) else f"{name}={value}"
            if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
                break       # otherwise the settings of the base class can be passed too
        return f"{type(self).__name__}({', '.join(shown for shown in settings.values() if shown)})"

    def _because(self, method: str) -> str:
        """The end of the error message "… has no likelihood", which explains why."""
        return ""

    def _who(self, method: str) -> str:
        """The method that an error message names: "VAE.fit"."""
        return f"{type(self).__name__}.{method}"

    def _expect_count(self, n: int, method: str = "sample") -> None:
        """Raise TypeError or ValueError unless n, the number of examples to draw, is an int of at least 1."""
        count(self._who(method), "n", n)


def _text(value: Any) -> str:
    """The name of a function or class, without its address; the repr of anything else."""
    return value.__name__ if inspect.isfunction(value) or inspect.isclass(value) else repr(value)


class LastHistory:
    """The attribute `history_`: the History of the last run of a model in this process.

    It is not stored in the model, and so it is not saved with it. Raises AttributeError before the first run.
    """

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        history = last_history(model)
        if history is None:
            who = type(model).__name__
            raise AttributeError(f"{who} has no history_: it was not trained in this process")
        return history


class Model(Estimator, Module):
    """A model that is trained by gradient descent.

        loss, cache = model.loss(x)         a float, averaged over the batch
        grads = model.backward(cache)       named gradients; adds to p.grad of every parameter

    A subclass defines `loss` and `backward`, and those of the hooks below that differ from the default:

        check_data(X, y) -> (X, y)          validate the training data
        before_training(X, rng) -> X        once per run: start parameters from the data, binarise once
        prepare(batch, rng) -> batch        each step: binarise, dequantise, add noise
        report(loss, cache) -> dict         the numbers to record, "loss" first
        optimizers(lr, steps)               an optimiser, or a dict of them by name
        check_augment()                     raise ValueError if augmented data cannot be used

    history_ : the History of the last run
    """

    takes_weights = False       # whether loss(x, y, sample_weight) uses weights of the examples
    history_ = LastHistory()

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the fit and trainer of a subclass name settings that are missing or unknown."""
        super().__init_subclass__(**options)
        for name in {"fit", "trainer"} & vars(cls).keys():
            setattr(cls, name, named_settings(vars(cls)[name]))

    def loss(
        self, x: Any, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, Any]:
        """Return (loss, cache): a float averaged over the batch, and the values that backward needs."""
        raise TypeError(f"{type(self).__name__} has no loss")

    def backward(self, cache: Any) -> dict[str, np.ndarray]:
        """Add the gradient of the loss to p.grad of every parameter; return named gradients."""
        raise TypeError(f"{type(self).__name__} has no backward")

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the training data (X, y), or raise an error that names `fit`.

        By default X is a finite array of floats, (N, D), and there are no labels.
        """
        expect_no_labels(self._who("fit"), y)
        X = as_examples(self._who("fit"), X, self.dtype)
        return X, None

    def before_training(self, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the data to train on. Called once, before a run."""
        return X

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Return the arguments of `loss` for a batch. Called on each batch, after augmentation."""
        return batch

    def report(self, loss: float, cache: Any) -> dict[str, float]:
        """The numbers that a step records."""
        return {"loss": loss}

    def optimizers(self, lr: float | Rate, steps: int, optimizer: Optimise = Adam) -> Any:
        """The optimiser of a run of `steps` steps, by default Adam; for a GAN, a dict of two by name."""
        return optimizer(self.parameters(), bind(lr, steps))

    def check_augment(self) -> None:
        """Raise ValueError if the model cannot be trained on augmented data."""

    def train_step(self, batch: tuple, optimizer: Any, rng: np.random.Generator) -> dict[str, float]:
        """Make one update on a batch; return the numbers to record."""
        return training_step(self, batch, optimizer, rng)

    def trace(self, X: Any, y: Any = None, *, rng: np.random.Generator | int = 0) -> Any:
        """Take one training step on a small batch apart: every value, equation and gradient, for print(…).

        X, y : at most 64 examples, as for `fit`
        rng : a Generator or an integer seed, for all random numbers of the step

        Returns a scratchgen.trace.Trace. The model is not changed. See scratchgen.trace.trace.
        """
        make: Any = import_module("scratchgen.trace")   # it imports the models, so not at the top of the file
        return make.trace(self, X, y, rng=rng)

    @named_settings
    def trainer(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 128,
        lr: float | Rate = 1e-3,
        optimizer: Optimise = Adam,
        augment: Augment | None = None,
        drop_last: bool = False,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        validation_data: Any = None,
        warm_start: bool = False,
        sample_weight: Any = None,
    ) -> Trainer:
        """Return the Trainer that `fit` would run, without starting it. The arguments are those of `fit`."""
        who = self._who("fit")
        learning_rate(who, "lr", lr)
        if not callable(optimizer):
            raise TypeError(f"{who} expected optimizer to be {OPTIMIZERS}, got {optimizer!r}")

        def optimizers(steps: int) -> Any:
            made = self.optimizers(lr, steps, optimizer)
            if not isinstance(made, Optimizer | dict):
                raise TypeError(f"{who} expected optimizer to be {OPTIMIZERS}, but it returned {made!r}")
            return made

        return self._trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, augment=augment, drop_last=drop_last,
            clip=clip, clip_value=clip_value, callbacks=callbacks, validate=validate,
            validation_data=validation_data, warm_start=warm_start, optimizers=optimizers,
            sample_weight=sample_weight,
        )

    @named_settings
    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 128,
        lr: float | Rate = 1e-3,
        optimizer: Optimise = Adam,
        augment: Augment | None = None,
        drop_last: bool = False,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        validation_data: Any = None,
        warm_start: bool = False,
        sample_weight: Any = None,
    ) -> Self:
        """Train with Adam on shuffled batches; return the model.

        If the model was trained before, training continues from its weights, with the warning
        ContinuedTraining unless `warm_start` is set. To start again, for example in each fold of a
        cross-validation, build a new model.

        X : (N, D). Integers and floats of another dtype than that of the model are cast, with the warning
            CastData;  y : labels (N,), for models that use them
        epochs : passes over the data
        rng : a Generator or an integer seed, for the order of the batches and all other random numbers
        lr : a number, a schedule such as OneCycle(3e-3), or a function of the fraction of training completed
        optimizer : a class such as AdamW or Muon, or a function (parameters, lr) -> Optimizer, such as
            ``functools.partial(AdamW, weight_decay=0.1)``
        augment : called on each batch of inputs, ``augment(x, rng=rng)``, such as data.Jitter()
        drop_last : skip the last batch if it is smaller than the others, which batch norm may need
        clip : the largest norm of a gradient; longer ones are scaled down (CLIP.1)
        clip_value : the largest magnitude of each number of a gradient (CLIP.2); pass clip or clip_value
        callbacks : called during the run, such as EarlyStopping, TimeLimit or ProgressBar
        validate : called after each epoch; its value is recorded, and EarlyStopping watches it
        validation_data : X, or (X, y), whose mean loss is recorded in place of the value of `validate`
        warm_start : whether to continue the training of a model that was trained before
        sample_weight : weights of the examples (N,), >= 0, for classifiers. They are divided by their mean.
            An example of weight 2 counts as two equal examples, and one of weight 0 is left out

        Raises ValueError or TypeError for invalid data or settings, and TrainingDiverged at the first nan or
        infinity.
        """
        self.trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, lr=lr, optimizer=optimizer, augment=augment,
            drop_last=drop_last, clip=clip, clip_value=clip_value, callbacks=callbacks, validate=validate,
            validation_data=validation_data, warm_start=warm_start, sample_weight=sample_weight,
        ).run()
        return self

    def _trainer(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int,
        augment: Augment | None,
        drop_last: bool,
        callbacks: Sequence[Callback],
        validate: Callable[[], float] | None,
        warm_start: bool,
        optimizers: Callable[[int], Any],
        clip: float | None = None,
        clip_value: float | None = None,
        validation_data: Any = None,
        sample_weight: Any = None,
    ) -> Trainer:
        """Check the data and set up the run. optimizers : number of steps -> optimiser(s)."""
        X, y = self.check_data(X, y)
        weights = None
        if sample_weight is not None:
            weights = self._checked_weights(sample_weight, len(X))
            used = weights > 0
            X, y, weights = X[used], None if y is None else y[used], weights[used] / weights[used].mean()
        rng = as_generator(self._who("fit"), rng)
        expect_run(
            self._who("fit"), epochs=epochs, batch_size=batch_size, examples=len(X), drop_last=drop_last,
            augment=augment, callbacks=callbacks, validate=validate, warm_start=warm_start, clip=clip,
            clip_value=clip_value,
        )
        held_out = None if validation_data is None else self._held_out(validation_data, validate)
        if augment is not None:
            self.check_augment()
        X = self.before_training(X, rng)
        if held_out is not None:
            validate = HeldOutLoss(self, *held_out, batch_size)
        batches = Batches(X, y, weights, batch_size=batch_size, rng=rng, drop_last=drop_last)
        made = optimizers(epochs * len(batches))
        for optimizer in made.values() if isinstance(made, dict) else (made,):
            optimizer.max_norm, optimizer.max_value = clip, clip_value
        return Trainer(
            self, batches, made, epochs=epochs, rng=rng, augment=augment,
            callbacks=callbacks, validate=validate, warm_start=warm_start,
        )

    def _checked_weights(self, sample_weight: Any, n: int) -> np.ndarray:
        """Weights of n examples; raises ValueError if the model does not use them."""
        who = self._who("fit")
        if not self.takes_weights:
            raise ValueError(f"{who} expected no sample_weight: the model does not use weights")
        return expect_weights(who, sample_weight, n)

    def _held_out(self, data: Any, validate: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Check validation data, X or (X, y), like training data."""
        who = self._who("fit")
        if validate is not None:
            raise ValueError(f"{who} expected validate or validation_data, got both")
        X, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
        try:
            return self.check_data(X, y)
        except (TypeError, ValueError) as error:
            message = f"{who} expected validation_data, X or (X, y), like the data to train on: {error}"
            raise type(error)(message) from None
