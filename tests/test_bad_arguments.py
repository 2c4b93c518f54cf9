"""Invalid arguments are refused with a message that names the function and the argument.

The cases are generated: every public class and function outside the models, every parameter of its signature,
and every value that is wrong for the annotation of that parameter.
"""

import datetime
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.layer_examples import layer_examples

from scratchgen import data, gradcheck, initializers, layers, losses, metrics, training
from scratchgen.data.toy import NoisyCurves
from scratchgen.layers import Linear, ReLU

rng = np.random.default_rng(0)
X = rng.random((6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]] * 2)
class Classifier:
    """A classifier of rows, as SampleMetrics needs it."""

    def features(self, X: np.ndarray) -> np.ndarray:
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.arange(len(X)) % 3


WEIGHTS = {"weights": np.array([0.5, 0.5]), "stds": np.array([1.0, 2.0])}
PARAMETERS = Linear(3, 2, rng=0).parameters()
START: dict[str, Any] = {"shape": (4, 3), "fan_in": 4, "fan_out": 3, "rng": 0}


def linear64() -> Linear:
    return Linear(4, 2, rng=0, dtype=np.float64)


# Valid arguments of everything public that is not in a gradient case of a layer. Functions return the classes
# in RESULTS.
EXAMPLES: dict[str, dict[str, Any]] = {
    "Parameter": {"value": X},
    "Adam": {"parameters": PARAMETERS, "lr": 0.1},
    "AdamW": {"parameters": PARAMETERS, "lr": 0.1},
    "Muon": {"parameters": PARAMETERS, "lr": 0.1},
    "AveragedWeights": {"decay": 0.9},
    "RMSProp": {"parameters": PARAMETERS, "lr": 0.1},
    "SGD": {"parameters": PARAMETERS, "lr": 0.1},
    "Optimizer": {"parameters": PARAMETERS, "lr": 0.1},
    "Constant": {"lr": 0.1},
    "Cosine": {"lr": 0.1, "steps": 10, "final": 0.01},
    "OneCycle": {"peak": 0.1, "steps": 10},
    "StepDecay": {"lr": 0.1, "every": 0.25, "factor": 0.5, "steps": 10},
    "EarlyStopping": {"patience": 2},
    "ReduceOnPlateau": {"factor": 0.5, "patience": 2},
    "TimeLimit": {"seconds": 1.0},
    "ProgressBar": {},
    "Callback": {},
    "Alphabet": {"characters": "abc"},
    "RandomCrop": {"length": 3},
    "BytePairTokenizer": {"merges": [(97, 98), (256, 99)]},
    "Batches": {"X": X, "y": Y, "batch_size": 2, "rng": 0},
    "Jitter": {"shape": (28, 28, 1)},
    "GaussianMixture": {**WEIGHTS, "means": np.ones((2, 3))},
    "GaussianMixture1D": {**WEIGHTS, "means": np.ones(2)},
    "NoisyCurves": {"curves": data.two_moons().curves, "length": 3.0, "power": 1, "noise": 0.1},
    "binarise": {"x": X, "rng": 0},
    "dequantise": {"x": X, "rng": 0},
    "Vocabulary": {"tokens": ["a", "b"]},
    "english_number": {"number": 305}, "chinese_number": {"number": 305},
    "english_date": {"date": datetime.date(1994, 3, 3)}, "chinese_date": {"date": datetime.date(1994, 3, 3)},
    "written_pairs": {"n": 3, "rng": 0}, "load_verses": {"part": "test"},
    "bleu": {"translations": ["a b"], "references": ["a c"]},
    "exact_match": {"translations": ["a b"], "references": ["a c"]},
    "windows": {"ids": Y, "length": 2, "hop": 1},
    "split_text": {"text": "abcdefghij"},
    "SampleMetrics": {"classifier": Classifier(), "X": X, "y": Y},
    "accuracy": {"predicted": Y, "y": Y},
    "auroc": {"scores": X[:, 0], "y": Y % 2},
    "bits_per_dim": {"log_density": X[:, 0], "features": 4},
    "choose_sigma": {"X": X, "samples": X},
    "density_coverage": {"X": X, "samples": X, "k": 2},
    "digit_shares": {"y": Y},
    "expected_calibration_error": {"probabilities": PROBABILITIES, "y": Y},
    "frechet_distance": {"X": X, "Y": X},
    "kernel_distance": {"X": X, "Y": X, "subsets": 2},
    "kmeans": {"X": X, "k": 2, "rng": 0},
    "knn_accuracy": {"Z_train": X, "y_train": Y, "Z_test": X, "y_test": Y, "k": 2},
    "nearest_distance": {"X": X, "Y": X},
    "parzen_log_likelihood": {"X": X, "samples": X, "sigma": 0.2},
    "precision_recall": {"X": X, "samples": X, "k": 2},
    "reliability": {"probabilities": PROBABILITIES, "y": Y},
    "silhouette_score": {"Z": X, "y": Y},
    "squared_error_per_example": {"X": X, "Y": X},
    "absolute_error": {"pred": X, "target": X},
    "squared_error": {"pred": X, "target": X},
    "bce_with_logits": {"logits": X, "target": X},
    "softmax_cross_entropy": {"logits": X, "labels": Y},
    "smoothed_cross_entropy": {"logits": X, "labels": Y},
    **dict.fromkeys(("he_normal", "glorot_uniform", "glorot_normal", "normal", "orthogonal"), START),
    "check_layer": {"layer": linear64(), "x": X, "rng": 0},
    "check_jvp": {"layer": linear64(), "x": X, "rng": 0},
    "check_contract": {"layer": linear64(), "x": X, "rng": 0},
    "assert_gradients": {"layer": linear64(), "x": X, "rng": 0},
    "numeric_gradient": {"f": np.sum, "x": X},
    "with_upstream": {"layer": linear64(), "x": X, "rng": 0},
    "remember": {"layer": linear64()},
    "check_loss": {"loss": losses.squared_error, "pred": X, "target": X},
}
RESULTS = {
    "Dataset", "DensityCoverage", "Digits", "Explanation", "History", "Images", "KernelDistance",
    "LabelledTable", "Pairs", "PrecisionRecall", "Reliability", "Result", "SampleQuality", "Shares",
    "Table", "TrainingDiverged",
}  # fmt: skip
ELSEWHERE = {
    "Trainer": "tests/training/test_loop.py", "Checkpointer": "tests/training/test_checkpoint.py",
    "CSVLogger": "tests/training/test_loggers.py", "JSONLinesLogger": "tests/training/test_loggers.py",
    "load": "tests/training/test_model_files.py", "save": "tests/training/test_model_files.py",
    "as_images": "tests/data", "download_digits": "tests/data", "load_digits": "tests/data",
    "download_fashion_mnist": "tests/data", "load_dataset": "tests/data", "load_table": "tests/data",
    "read_idx": "tests/data", "read_npy": "tests/data", "read_npz": "tests/data", "read_csv": "tests/data",
    "read_image": "tests/data", "read_pairs": "tests/data", "load_images": "tests/data",
    "check_model": "tests/gradcheck",
    "backward": "tests/gradcheck", "has_jvp": "tests/gradcheck",
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


def example(name: str) -> dict[str, Any]:
    return EXAMPLES.get(name) or layer_examples().get(name, {})


class Unfit:
    """An object that is not a number, array, layer or function."""

    def __repr__(self) -> str:
        return "Unfit()"


NOTHING: list[Any] = [None, "x", [], (), 1j, Unfit(), dict]
COUNTS = [*NOTHING, 0, -1, 2.5, math.nan, math.inf, True, np.ones(2), "3"]
NUMBERS = [*NOTHING, -1, math.nan, math.inf, -math.inf, True, np.ones(2), "0.5"]
ARRAYS: list[Any] = [
    *NOTHING, 3, 0.5, X.tolist(), X.astype(complex), X.astype(object), X.astype("M8[s]"), np.array(3.0),
    np.ma.masked_array(X, X > 0.5), X.view(np.matrix), np.full((6, 4), "a"),
]  # fmt: skip
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
    "Linear": [*NOTHING, 3, ReLU, ReLU(), [linear64()]],
    "counts": [None, "x", [], (), 1j, Unfit(), dict, -1, 3, (0, 4), (2.5,), ("x",), (True,), (3,)],
    "array": ARRAYS,
    "labels": [*ARRAYS, Y - 1, Y + 100, Y.astype(float), Y[:3], Y[:, None], Y.tolist() * 2],
    "parameters": [*NOTHING, PARAMETERS["weight"], list(PARAMETERS.values()), {"w": X}, {}],
    "betas": [*NOTHING, 0.9, (0.9,), (0.9, 1), (0.9, -0.1), (0.9, math.nan), (0.9, "x"), (0.9, True)],
    "shape": [*NOTHING, -1, 2.5, (2.5, 1), (-1, 2), ("x",), (28, 28), (28, 0, 1), True],
    "sigmas": [None, "x", [], (), [0.0], [math.nan], [-1], ["x"], Unfit(), 0.1],
    "loss": [None, "x", 3, Unfit()],
    "pairs": [None, "x", 3, dict, Unfit(), [3], [(1,)], [(1, 2.5)], [(1, "x")], [(1, 256)], [(1, 2), (1, 2)]],
    "strings": [None, 3, "abc", b"a", [], (), [1], ["a", None], Unfit()],
    "date": [None, 3, "1994-03-03", Unfit()],
}
ANNOTATIONS = {
    "int": ["int"], "float": ["float"], "bool": ["bool"], "str": ["str"],
    "int | Pair": ["int", "Pair"], "np.random.Generator | int": ["Generator"], "DTypeLike": ["dtype"],
    "Callable[..., Array]": ["callable"], "Callable[[np.ndarray], np.ndarray]": ["callable"],
    "Callable[[np.ndarray], float]": ["callable"],
    "Layer": ["layer"], "Linear": ["Linear"], "Sequence[int]": ["counts"],
    "tuple[int, int, int]": ["shape"], "Module": ["layer"], "Array": ["array"], "np.ndarray": ["array"],
    "ArrayLike": ["array"],
    "float | Schedule": ["float"], "Mapping[str, Parameter]": ["parameters"],
    "tuple[float, float]": ["betas"], "tuple[int, int, int] | tuple[int, int]": ["shape"], "Shape": ["shape"],
    "tuple[int, ...]": ["shape"], "Sequence[float]": ["sigmas"], "Loss": ["loss"], "Any": ["layer"],
    "FeatureClassifier": ["loss"], "Sequence[Pair]": ["pairs"], "Sequence[str]": ["strings"],
    "datetime.date": ["date"],
}  # fmt: skip
LABELS = {"labels", "y_train", "y_test"}
USED = {    # what the example calls
    "check_contract": "Linear", "check_loss": "squared_error", "assert_gradients": "check_layer"
}  # fmt: skip
UNNAMED = {"array", "labels", "layer", "parameters"}    # the message describes these without their names

# Arrays that are wrong for one parameter alone.
ALSO: dict[tuple[str, str], list[Any]] = {
    ("bce_with_logits", "target"): [X - 1, 2 * X, np.where(X > 0.5, np.nan, X)],
    ("softmax_cross_entropy", "labels"): [Y + 2], ("smoothed_cross_entropy", "labels"): [Y + 2],
    ("binarise", "x"): [X - 1, 2 * X], ("dequantise", "x"): [X - 1, 2 * X],
    ("Batches", "X"): [X * np.nan, X * np.inf],
    ("auroc", "y"): [Y], ("auroc", "scores"): [X[:, 0] * np.nan],
    ("reliability", "probabilities"): [2 * PROBABILITIES, PROBABILITIES - 0.1],
    ("GaussianMixture", "weights"): [np.ones(2), np.array([-0.5, 1.5])],
    ("GaussianMixture", "stds"): [np.zeros(2), -np.ones(2), np.full(2, np.inf)],
    ("bits_per_dim", "log_density"): [X[:, 0] * np.nan],
}  # fmt: skip
# The values in these lists that are valid for a parameter.
FINE: dict[tuple[str, str], list[Any]] = {
    **{
        (name, "padding"): [0]
        for name in ("Conv2d", "ConvTranspose2d", "MaskedConv2d", "MaxPool2d", "AvgPool2d")
    },
    ("ConvTranspose2d", "output_padding"): [0],
    ("english_number", "number"): [0], ("chinese_number", "number"): [0],
    ("LeakyReLU", "negative_slope"): [-1],                      # a mirrored line, whose slope is -1
    ("Parameter", "value"): [[], (), 0.5, X.tolist(), np.array(3.0)],
    ("Jitter", "shape"): [(28, 28)],
    ("Dropout", "shared_axis"): [0],
    ("UNet", "classes"): [0], ("ResidualNet", "classes"): [0],
    ("numeric_gradient", "x"): [np.array(3.0)],
    ("orthogonal", "gain"): [-1], ("LSTM", "forget_bias"): [-1],
    **{(name, "shape"): [(28, 28)] for name in vars(initializers)},
    ("accuracy", "y"): [Y - 1, Y + 100, Y.astype(float)],       # labels of any kind are compared
    ("knn_accuracy", "y_train"): [Y + 100],
    ("knn_accuracy", "y_test"): [Y + 100],
    ("silhouette_score", "y"): [Y + 100],
    ("digit_shares", "y"): [Y[:3], Y.tolist() * 2],
}


def kinds(parameter: inspect.Parameter) -> list[str]:
    """The lists of WRONG for a parameter, by its name and annotation."""
    if parameter.name in LABELS or (parameter.name == "y" and "None" not in parameter.annotation):
        return ["labels"]
    return ANNOTATIONS[parameter.annotation.replace("'", "").removesuffix(" | None")]


def wrong_values(name: str, parameter: inspect.Parameter) -> Iterator[tuple[Any, bool]]:
    """(value, whether the message has the name of the parameter) for everything that is wrong."""
    fine = [repr(value) for value in FINE.get((name, parameter.name), [])]
    if parameter.annotation.endswith("None"):
        fine.append("None")
    for kind in kinds(parameter):
        named = kind not in UNNAMED and parameter.kind is not parameter.VAR_POSITIONAL
        yield from ((value, named) for value in WRONG[kind] if repr(value) not in fine)
    yield from ((value, False) for value in ALSO.get((name, parameter.name), []))


def call(thing: Callable[..., Any], given: dict[str, Any]) -> None:
    """Call with the arguments by name; those of a parameter like *shape by position."""
    signature = inspect.signature(thing)
    bound = signature.bind_partial()
    bound.arguments = {name: given[name] for name in signature.parameters if name in given}
    thing(*bound.args, **bound.kwargs)


CALLABLES = {name: thing for name, thing in public().items() if name not in {*RESULTS, *ELSEWHERE}}


def test_everything_public_has_an_example_or_is_tested_elsewhere():
    assert [name for name in CALLABLES if not example(name)] == []
    known = {*EXAMPLES, *RESULTS, *ELSEWHERE}
    assert known <= {*public(), "Callback", "ProgressBar", "Parameter"}
    for name, where in ELSEWHERE.items():
        path = Path(__file__).parent.parent / where
        texts = [p.read_text(encoding="utf-8") for p in ([path] if path.is_file() else path.glob("*.py"))]
        assert any(f"{name}(" in text for text in texts), name


@pytest.mark.parametrize("name", CALLABLES)
def test_example_is_valid(name):
    call(CALLABLES[name], example(name))


@pytest.mark.parametrize("name", CALLABLES)
def test_wrong_argument_is_refused(name):
    """It raises TypeError or ValueError, in one line with the names of the function and the parameter."""
    thing, given = CALLABLES[name], example(name)
    for parameter in inspect.signature(thing).parameters.values():
        several = parameter.kind is parameter.VAR_POSITIONAL
        for wrong, named in wrong_values(name, parameter):
            with pytest.raises((TypeError, ValueError)) as caught:
                call(thing, {**given, parameter.name: (wrong,) if several else wrong})
                pytest.fail(f"{name} accepted {parameter.name}={wrong!r}")
            message = str(caught.value)
            assert message.startswith((name, USED.get(name, name))), f"{parameter.name}={wrong!r}: {message}"
            assert not named or parameter.name in message or "seed" in message, f"{wrong!r}: {message}"
            assert "object at 0x" not in message
