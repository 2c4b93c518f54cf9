"""Arguments for which a formula does not hold are refused, with the names of the function and the argument.

The cases are generated: every public class and function outside the models, every parameter of its signature,
and every value that is wrong for the annotation of that parameter.
"""

import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from scratchgen import data, gradcheck, initializers, layers, losses, metrics, training
from scratchgen.data.toy import NoisyCurves
from scratchgen.layers import Layer, Linear, Parameter, ReLU
from scratchgen.models.cases import LAYERS

rng = np.random.default_rng(0)
X = rng.random((6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]] * 2)
WEIGHTS = {"weights": np.array([0.5, 0.5]), "stds": np.array([1.0, 2.0])}
PARAMETERS = Linear(3, 2, rng=0).parameters()
START: dict[str, Any] = {"shape": (4, 3), "fan_in": 4, "fan_out": 3, "rng": 0}


def linear64() -> Linear:
    return Linear(4, 2, rng=0, dtype=np.float64)


# Valid arguments of everything public that is not in a gradient case of a layer. The classes of RESULTS are
# what functions return; nobody else constructs them.
EXAMPLES: dict[str, dict[str, Any]] = {
    "Parameter": {"value": X},
    "Adam": {"parameters": PARAMETERS, "lr": 0.1},
    "RMSProp": {"parameters": PARAMETERS, "lr": 0.1},
    "SGD": {"parameters": PARAMETERS, "lr": 0.1},
    "Optimizer": {"parameters": PARAMETERS, "lr": 0.1},
    "Constant": {"lr": 0.1},
    "Cosine": {"lr": 0.1, "steps": 10, "final": 0.01},
    "OneCycle": {"peak": 0.1, "steps": 10},
    "StepDecay": {"lr": 0.1, "every": 0.25, "factor": 0.5, "steps": 10},
    "EarlyStopping": {"patience": 2},
    "ProgressBar": {},
    "Callback": {},
    "Alphabet": {"characters": "abc"},
    "RandomCrop": {"length": 3},
    "Batches": {"X": X, "y": Y, "batch_size": 2, "rng": 0},
    "Jitter": {"shape": (28, 28, 1)},
    "GaussianMixture": {**WEIGHTS, "means": np.ones((2, 3))},
    "GaussianMixture1D": {**WEIGHTS, "means": np.ones(2)},
    "NoisyCurves": {"curves": data.two_moons().curves, "length": 3.0, "power": 1, "noise": 0.1},
    "binarise": {"x": X, "rng": 0},
    "dequantise": {"x": X, "rng": 0},
    "windows": {"ids": Y, "length": 2, "hop": 1},
    "split_text": {"text": "abcdefghij"},
    "SampleMetrics": {"classifier": mock.Mock(), "X": X, "y": Y},
    "accuracy": {"predicted": Y, "y": Y},
    "auroc": {"scores": X[:, 0], "y": Y % 2},
    "bits_per_dim": {"log_density": X[:, 0], "features": 4},
    "choose_sigma": {"X": X, "samples": X},
    "digit_shares": {"y": Y},
    "expected_calibration_error": {"probabilities": PROBABILITIES, "y": Y},
    "frechet_distance": {"X": X, "Y": X},
    "kmeans": {"X": X, "k": 2, "rng": 0},
    "knn_accuracy": {"Z_train": X, "y_train": Y, "Z_test": X, "y_test": Y, "k": 2},
    "nearest_distance": {"X": X, "Y": X},
    "parzen_log_likelihood": {"X": X, "samples": X, "sigma": 0.2},
    "reliability": {"probabilities": PROBABILITIES, "y": Y},
    "silhouette_score": {"Z": X, "y": Y},
    "squared_error_per_example": {"X": X, "Y": X},
    "absolute_error": {"pred": X, "target": X},
    "squared_error": {"pred": X, "target": X},
    "bce_with_logits": {"logits": X, "target": X},
    "softmax_cross_entropy": {"logits": X, "labels": Y},
    **{name: START for name in ("he_normal", "glorot_uniform", "glorot_normal", "normal", "orthogonal")},
    "check_layer": {"layer": linear64(), "x": X, "rng": 0},
    "check_jvp": {"layer": linear64(), "x": X, "rng": 0},
    "check_contract": {"layer": linear64(), "x": X, "rng": 0},
    "with_upstream": {"layer": linear64(), "x": X, "rng": 0},
    "check_loss": {"loss": losses.squared_error, "pred": X, "target": X},
}
RESULTS = {"Digits", "History", "Reliability", "Result", "SampleQuality", "Shares", "TrainingDiverged"}
ELSEWHERE = {
    "Trainer": "tests/training/test_loop.py", "Checkpointer": "tests/training/test_checkpoint.py",
    "as_images": "tests/data", "download_digits": "tests/data", "load_digits": "tests/data",
    "read_idx": "tests/data", "check_model": "tests/gradcheck",
    "backward": "tests/gradcheck", "has_jvp": "tests/gradcheck", "remember": "tests/gradcheck",
}  # fmt: skip


def public() -> dict[str, Callable[..., Any]]:
    """Everything public outside the models that is called with arguments."""
    found: dict[str, Callable[..., Any]] = {"NoisyCurves": NoisyCurves}
    for module in (layers, losses, data, training, metrics, gradcheck, initializers):
        own = [n for n, o in vars(module).items() if getattr(o, "__module__", None) == module.__name__]
        for name in getattr(module, "__all__", own):
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and not name.startswith("_"):
                found[name] = thing
    return {name: thing for name, thing in found.items() if inspect.signature(thing).parameters}


@functools.cache
def layer_examples() -> dict[str, dict[str, Any]]:
    """The arguments with which the gradient cases build each public layer, by name of the class."""
    found: dict[str, dict[str, Any]] = {}
    classes = [c for name in layers.__all__ if issubclass(c := getattr(layers, name), Layer)]

    def recording(cls: type[Layer]) -> Any:
        original = cls.__init__

        def init(self: Layer, *args: Any, **kwargs: Any) -> None:
            bound = inspect.signature(original).bind(self, *args, **kwargs).arguments
            if type(self) is cls:
                found.setdefault(cls.__name__, {k: v for k, v in bound.items() if k != "self"})
            original(self, *args, **kwargs)

        return mock.patch.object(cls, "__init__", functools.wraps(original)(init))

    patches = [recording(cls) for cls in classes if "__init__" in vars(cls)]
    for patch in patches:
        patch.start()
    try:
        for case in LAYERS:
            case.build(np.random.default_rng(0), np.float64)
    finally:
        mock.patch.stopall()
    return {name: {**flat.pop("kwargs", {}), **flat} for name, flat in found.items()}


def example(name: str) -> dict[str, Any]:
    return EXAMPLES.get(name) or layer_examples().get(name, {})


class Unfit:
    """An object that is no number, array, layer or function."""

    def __repr__(self) -> str:
        return "Unfit()"


NOTHING: list[Any] = [None, "x", [], (), 1j, Unfit(), dict]
COUNTS = [*NOTHING, 0, -1, 2.5, math.nan, math.inf, True, np.ones(2), "3"]
NUMBERS = [*NOTHING, -1, math.nan, math.inf, -math.inf, True, np.ones(2), "0.5"]
ARRAYS: list[Any] = [*NOTHING, 3, 0.5, X.tolist(), X.astype(complex), X.astype(object), X.astype("M8[s]"),
                     np.ma.masked_array(X, X > 0.5), np.asmatrix(X), np.full((6, 4), "a"), np.array(3.0)]  # fmt: skip
WRONG: dict[str, list[Any]] = {
    "int": COUNTS,
    "float": NUMBERS,
    "bool": [*NOTHING, 2, 0.5, math.nan, np.ones(2)],
    "str": [None, 3, [], (), Unfit(), b"a", ""],
    "Pair": [(1,), (1, 2, 3), (1, -1), (1, 2.5), ("x", 1), (True, 1)],
    "Generator": [*NOTHING, -1, 2.5, True, np.random.RandomState(0)],
    "dtype": [None, "x", int, np.float16, complex, bool, object, ">f4", 3, Unfit()],
    "callable": [None, "x", 3, [], Unfit()],
    "layer": [*NOTHING, 3, ReLU, [ReLU()]],
    "array": ARRAYS,
    "labels": [*ARRAYS, Y - 1, Y + 100, Y.astype(float), Y[:3], Y[:, None], Y.tolist() * 2],
    "parameters": [*NOTHING, PARAMETERS["weight"], list(PARAMETERS.values()), {"w": X}, {}],
    "betas": [*NOTHING, 0.9, (0.9,), (0.9, 1), (0.9, -0.1), (0.9, math.nan), (0.9, "x"), (0.9, True)],
    "shape": [*NOTHING, -1, 2.5, (2.5, 1), (-1, 2), ("x",), (28, 28), (28, 0, 1), True],
    "sigmas": [None, "x", [], (), [0.0], [math.nan], [-1], ["x"], Unfit(), 0.1],
    "loss": [None, "x", 3, Unfit()],
}
ANNOTATIONS = {
    "int": ["int"], "float": ["float"], "bool": ["bool"], "str": ["str"],
    "int | Pair": ["int", "Pair"], "np.random.Generator | int": ["Generator"], "DTypeLike": ["dtype"],
    "Callable[..., Array]": ["callable"], "Callable[[np.ndarray], np.ndarray]": ["callable"],
    "Layer": ["layer"], "Array": ["array"], "np.ndarray": ["array"], "ArrayLike": ["array"],
    "float | Schedule": ["float"], "Mapping[str, Parameter]": ["parameters"],
    "tuple[float, float]": ["betas"], "tuple[int, int, int] | tuple[int, int]": ["shape"], "Shape": ["shape"],
    "tuple[int, ...]": ["shape"], "Sequence[float]": ["sigmas"], "Loss": ["loss"], "Any": ["layer"],
    "FeatureClassifier": ["loss"],
}  # fmt: skip
LABELS = {"y", "labels", "predicted", "y_train", "y_test", "ids"}

# The values of these lists for which a parameter is right after all.
FINE: dict[tuple[str, str], list[Any]] = {
    **{(name, "padding"): [0] for name in ("Conv2d", "ConvTranspose2d", "MaskedConv2d", "MaxPool2d", "AvgPool2d")},
    ("ConvTranspose2d", "output_padding"): [0],
}


def wrong_values(name: str, parameter: inspect.Parameter) -> Iterator[Any]:
    text = str(parameter.annotation).replace("'", "")
    optional = text.endswith(" | None")
    kinds = ["labels"] if parameter.name in LABELS else ANNOTATIONS[text.removesuffix(" | None")]
    if kinds == ["array"] and parameter.name == "mask" and text == "str":
        kinds = ["str"]
    for kind in kinds:
        for value in WRONG[kind]:
            if not (optional and value is None) and not any(value is v or same(value, v) for v in FINE.get((name, parameter.name), [])):
                yield value


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, int | float | str | tuple) and repr(a) == repr(b)
