"""The parts of a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scratchgen.data import Digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.ood.scores import Detector
from scratchgen.studies.spaces import GREY, Space

SIZE = 784      # pixels of a digit


def likelihood_per_digit(model: Any, digits: Digits, space: Space) -> str:
    """A line with the mean log p(x) of the test digits, how it is computed, and the data it describes."""
    nats = float(model.score_samples(space.prepare(digits.x_test)).mean())
    return f"log p(x) per test digit: {nats:.2f} nats ({model.likelihood}; {space.name})"


def conditional_likelihood(model: Any, digits: Digits, space: Space) -> str:
    """A line with the mean log p(x | y) of the test digits, given their labels."""
    nats = float(model.score_samples(space.prepare(digits.x_test), digits.y_test).mean())
    return f"log p(x | y) per test digit: {nats:.2f} nats ({model.likelihood}; {space.name})"


def error_per_digit(model: Any, digits: Digits, space: Space) -> str:
    """A line with the squared error of the reconstruction, averaged over the test digits."""
    x = space.prepare(digits.x_test)
    error = float(squared_error_per_example(model.reconstruct(x), x).mean())
    return f"squared error per test digit: {error:.2f}"


def error_rate(model: Any, digits: Digits, space: Space) -> str:
    """A line with the percentage of test digits that are classified wrongly."""
    return f"test error: {100 * (1 - model.score(space.prepare(digits.x_test), digits.y_test)):.2f} %"


def no_figure(model: Any, digits: Digits, space: Space) -> str:
    """An empty line, for models that have no result on the test digits."""
    return ""


@dataclass(frozen=True)
class Trainable:
    """A model that `scratchgen train` can train on digits.

    forms  : name ("dense", "convolutional") -> build(rng, hidden=..., code=...) -> model. The first form is
        the default, and the defaults of `hidden` and `code` are those of --hidden and --code. A form
        leaves out what it does not have
    space  : the form of the data that `figure` uses; in training, the model prepares each batch itself
    figure : (model, digits, space) -> one line with the model's result on the test digits
    labels : whether `fit` takes the digits' labels
    """

    forms: Mapping[str, Callable[..., Any]]
    space: Space = GREY
    figure: Callable[[Any, Digits, Space], str] = likelihood_per_digit
    labels: bool = False


@dataclass(frozen=True)
class TimedClassifier:
    """A classifier of the table in docs/discriminative.md: its title, what it models, and how to fit it."""

    title: str
    models: str
    build: Callable[[], Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Card:
    """How one family takes part in the studies. All fields but the title are optional.

    title          : of the family
    contenders     : models of the comparison
    detectors      : models of the out-of-distribution study
    classifiers    : rows of the table of classifiers
    reproductions  : modules NAME of studies/reproduce, each with a RECIPE
    trainable      : models of `scratchgen train`, by name
    interpolate_in : spaces in which an interpolation between two examples is meaningful, such as "latent
        code"
    benchmarks     : modules NAME of benchmarks/steps
    """

    title: str
    contenders: tuple[Contender, ...] = ()
    detectors: tuple[Detector, ...] = ()
    classifiers: tuple[TimedClassifier, ...] = ()
    reproductions: tuple[str, ...] = ()
    trainable: Mapping[str, Trainable] = field(default_factory=dict)
    interpolate_in: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
