"""The parts of a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scratchgen.data import Dataset
from scratchgen.metrics import squared_error_per_example
from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.ood.scores import Detector
from scratchgen.studies.spaces import GREY, Space

SIZE = 784      # pixels of a digit


class Figure(NamedTuple):
    """The result of a model on the test data: a name, a number, and a line of text."""

    name: str
    value: float
    text: str


def result_on_test_data(model: Any, data: Dataset, space: Space) -> Figure | None:
    """The result of a model on the test data; None for a model without one, such as a GAN.

    The error rate of a classifier, the mean log-likelihood, or the squared error of the reconstructions.
    """
    x, y = space.prepare(data.x_test), data.y_test
    if hasattr(model, "predict_proba"):
        wrong = 1 - model.score(x, y)
        return Figure("error", wrong, f"test error: {100 * wrong:.2f} %")
    if model.likelihood is not None:
        given = () if not getattr(model, "classes", 0) else (y,)
        nats = float(model.score_samples(x, *given).mean())
        p = "p(x | y)" if given else "p(x)"
        return Figure(
            "log_prob", nats,
            f"log {p} per test example: {nats:.2f} nats ({model.likelihood}; {space.name})",
        )
    if hasattr(model, "reconstruct"):
        error = float(squared_error_per_example(model.reconstruct(x), x).mean())
        return Figure("squared_error", error, f"squared error per test example: {error:.2f}")
    return None


@dataclass(frozen=True)
class Trainable:
    """What `scratchgen train` needs to know of a model that is trained on images.

    model    : the class
    settings : form ("dense", "convolutional", or "standard" for the constructor) -> arguments that differ
        from their defaults. The first form is the default. Pixels and classes are counted in the data
    space    : the form of the data that the figure describes; in training, the model prepares each batch
    figure   : the model's result on the test data

    A model that is in no card is trained with its own defaults.
    """

    model: Any
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    space: Space = GREY
    figure: Callable[[Any, Dataset, Space], Figure | None] = result_on_test_data


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
    trainable      : models of `scratchgen train` with settings for images
    interpolate_in : spaces in which an interpolation between two examples is meaningful, such as "latent
        code"
    benchmarks     : modules NAME of benchmarks/steps
    """

    title: str
    contenders: tuple[Contender, ...] = ()
    detectors: tuple[Detector, ...] = ()
    classifiers: tuple[TimedClassifier, ...] = ()
    reproductions: tuple[str, ...] = ()
    trainable: tuple[Trainable, ...] = ()
    interpolate_in: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
