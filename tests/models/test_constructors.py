"""Bad arguments of every constructor of every public model, generated from the signatures."""

import inspect
import re

import numpy as np
import pytest

from scratchgen import models
from scratchgen.data.pairs import Vocabulary
from scratchgen.data.text import Alphabet
from scratchgen.layers import Activation, Linear, ResidualNet, Scaling, SiLU
from scratchgen.models import BernoulliPixels, Estimator, GaussianNaiveBayes, NGram
from scratchgen.models.classical.emissions import Gaussian

NAN, INF = float("nan"), float("inf")
NOT_NUMBERS = ["x", [], (3,), {}]
NOT_INTS = [2.5, 3.0, NAN, INF, 1e300, True, *NOT_NUMBERS]
NOT_FINITE = [NAN, INF, -INF, 1e300, -1e300, True, None, *NOT_NUMBERS]
NOT_SEQUENCES = [2.5, NAN, True, "x", "ab", {1: 2}, 1e300]
NOT_WIDTHS = [-1, *NOT_SEQUENCES, (0,), (-3,), (2.5,), ("x",), (True,), [[3]], (None,)]
NOT_SHAPES = [
    0, 28, *NOT_SEQUENCES, (), (28,), (0,), (-3,), (28, 28, 1, 1), (28, 28, 0), (-28, 28, 1), (28, 28.5, 1),
    ("a", "b", "c"), (28, 28, True), (28, 28, None),
]
# The bad values of each parameter, by the name of the parameter.
BAD = {
    **dict.fromkeys(
        ["classes", "code", "channels", "couplings", "k", "kernel", "n_components", "order", "orderings"]
        + ["heads", "depth", "window", "symbols", "states", "min_leaf", "max_depth", "first", "features"],
        [0, -1, *NOT_INTS],
    ),
    **dict.fromkeys(["ahead", "layers"], [-1, None, *NOT_INTS]),
    **dict.fromkeys(["beta", "l2", "smoothing"], [-1, -1e-9, *NOT_FINITE]),
    **dict.fromkeys(["clip", "penalty", "bound", "strength", "std"], [0, -1, *NOT_FINITE]),
    **dict.fromkeys(["dropout", "input_dropout", "weight_dropout", "shrinkage"], [-0.1, 1.5, *NOT_FINITE]),
    **dict.fromkeys(
        ["encoder", "decoder", "generator", "discriminator"], [None, 5, "x", Linear, [SiLU()], len]
    ),
    **dict.fromkeys(
        ["noise", "objective", "binarisation", "order=", "prior", "criterion", "body"], [None, 5, "x", ["x"]]
    ),
    "activation": [None, 5, "relu", SiLU(), int, Linear, Activation(), [SiLU]],
    **dict.fromkeys(["blocks", "embedding"], [0, -1, *NOT_INTS]),
    **dict.fromkeys(["schedule", "predicts", "variance", "times"], [None, 5, "x", ["x"]]),
    **dict.fromkeys(["squeeze", "attention"], [None, 0, 1, 2.5, "x", []]),
    "steps": [0, 1, -1, *NOT_INTS],
    "label_dropout": [-0.1, 1.5, *NOT_FINITE],
    "net": [None, 5, "x", Linear, SiLU(), len],
    "alphabet": [None, 5, "abc", Alphabet],
    **dict.fromkeys(["source", "target"], [None, 5, "abc", ["a"], Vocabulary]),
    "dtype": [None, 5, "x", int, np.int64, np.float16, complex, object, "U3"],
    "emissions": [None, 5, "x", Gaussian, SiLU()],
    "hidden": NOT_WIDTHS,
    "levels": [0, 1, -1, *NOT_INTS],
    "model": [None, 5, "x", [], GaussianNaiveBayes()],
    "observation": [0, 5, "bernoulli", BernoulliPixels],
    "orders": [5, None, (0,), (2.5,), (), "x", (True,)],
    "output_range": [
        0, 5, *NOT_SEQUENCES, (), (0,), (1, 0), (0, 0), (0, NAN), (0, INF), (0, 1, 2), (0, "x"), (0, 1e300),
    ],
    "models": [None, 5, "ab", (), [5, 5], [NGram(Alphabet("ab"))]],
    "pixel_init": [None, 5, "x"],
    "rng": [None, -1, 2.5, "x", True, NAN, (0,)],
    "shape": NOT_SHAPES,
    **dict.fromkeys(["shared", "drop_constant"], [None, 0, 1, 2.5, "x", []]),
    "sizes": [0, 5, *NOT_WIDTHS, (), (5,), (5, 0), (5, -1), (5, 2.5), (5, True)],
    "strengths": [5, None, (0,), (NAN,), (), "x", (-1.0,)],
    "text": [None, 5, ""],
    "categories": [*NOT_WIDTHS, (1,), 1, None],
    "continuous": [-1, None, *NOT_INTS],
    "weight": [-1, -1e-9, *NOT_FINITE],
    "threshold": [NAN, INF, -INF, True, *NOT_NUMBERS],
}
# Those of a parameter with another name, by its annotation.
BY_TYPE = {"int": [0, -1, *NOT_INTS], "float": NOT_FINITE, "bool": [None, 0, 1, 2.5, "x", []]}
# Names that mean something else in one model.
ALSO = {
    ("Flow", "layers"): [None, 5, "x", [], [SiLU()], Scaling(4), [Scaling]],
    ("NICE", "layers"): [None, 5, "x", [], [SiLU()], Scaling(4), [Scaling]],
    ("RealNVP", "layers"): [None, 5, "x", [], [SiLU()], Scaling(4), [Scaling]],
    ("MADE", "order"): BAD["order="],
    ("MADE", "classes"): [-1, None, *NOT_INTS],
    ("MADE", "hidden"): [*NOT_WIDTHS, 0, (), None],
    ("PixelCNN", "kernel"): [0, -1, 2, *NOT_INTS],
    ("PixelCNN", "first"): [0, 1, 4, *NOT_INTS],
}
for _model in (
    "Autoencoder", "VAE", "ClassPriorVAE", "ConditionalGAN", "DCGAN", "InfoGAN", "WGAN", "ConvClassifier",
):
    _other = (16, 16) if _model == "ConvClassifier" else (16, 16, 16)
    ALSO[_model, "channels"] = [None, 0, 16, *NOT_WIDTHS, (16,), (16,) * 4, (16, 0), (16, 2.5), _other]
    ALSO[_model, "shape"] = [*NOT_SHAPES, None, (28, 28), (3, 28, 1), (28, 3, 1)]
for _model in ("Diffusion", "FlowMatching"):
    ALSO[_model, "channels"] = [None, 0, *NOT_WIDTHS, (), (12,), (8, 12)]
    ALSO[_model, "shape"] = [*NOT_SHAPES, None, (28, 28), (30, 28, 1), (28, 30, 1)]
    ALSO[_model, "classes"] = [-1, None, *NOT_INTS]
    ALSO[_model, "hidden"] = [0, -1, *NOT_INTS]
ALSO["Diffusion", "clip"] = BAD["squeeze"]
ALSO["RealNVP", "channels"] = [0, -1, *NOT_INTS]
# The smallest arguments that a constructor needs besides the bad one.
NEEDED = {
    "alphabet": Alphabet("abc"),
    "code": 3,
    "decoder": Linear(3, 6, rng=0),
    "discriminator": Linear(6, 1, rng=0),
    "emissions": Gaussian(2, rng=0),
    "encoder": Linear(6, 6, rng=0),
    "features": 4,
    "generator": Linear(3, 6, rng=0),
    "layers": [Scaling(4)],
    "model": GaussianNaiveBayes,
    "models": [NGram(Alphabet("ab")), NGram(Alphabet("ab"))],
    "n_components": 2,
    "net": ResidualNet(4, 5, 1, rng=0),
    "rng": 0,
    "source": Vocabulary(["a", "b"]),
    "states": 2,
    "symbols": 3,
    "target": Vocabulary(["a", "b"]),
    "text": "abcabcabcabc",
}
SMALL = {
    "NICE.dense": {"features": 4, "hidden": 3},     # its defaults take most of the time
    "InfoGAN": {"code": 12},                        # its codes need 12 numbers
}


def constructors():
    """Each constructor and alternative constructor of each public model: (name, function, who)."""
    for name in models.__all__:
        cls = getattr(models, name)
        if not inspect.isclass(cls) or name in ("Estimator", "Model") or not issubclass(cls, Estimator):
            continue
        yield name, cls, name
        for other, member in inspect.getmembers(cls, inspect.ismethod):     # bound to the class: classmethods
            if not other.startswith("_") and "Raise TypeError" not in (member.__doc__ or ""):
                yield name, member, f"{name}.{other}"


def cases():
    for name, build, who in constructors():
        for parameter in inspect.signature(build).parameters.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                yield pytest.param(name, build, parameter, id=f"{who}-{parameter.name}")


@pytest.mark.parametrize(("name", "build", "parameter"), list(cases()))
def test_constructor_refuses_bad_arguments_by_name(name, build, parameter):
    """The message is one line that begins with the class and names the argument."""
    needed = {
        p.name: NEEDED[p.name]
        for p in inspect.signature(build).parameters.values()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    needed |= SMALL.get(build.__qualname__, {})
    values = ALSO.get((name, parameter.name)) or BAD.get(parameter.name) or BY_TYPE[parameter.annotation]
    if parameter.default is not None and parameter.name not in ("shape", "output_range"):
        values = [*values, None]
    wrong = []
    for value in values:
        if value is None and parameter.default is None:
            continue
        try:
            build(**needed | {parameter.name: value})
        except (ValueError, TypeError) as error:
            text = str(error)
            called = re.match(rf"{name}(\.\w+)? ", text)
            if not called or parameter.name not in text or "\n" in text:
                wrong.append(f"{value!r}: {type(error).__name__} {text}")
        except Exception as error:
            wrong.append(f"{value!r}: {type(error).__name__} {error}")
        else:
            wrong.append(f"{value!r} was accepted")
    assert not wrong, "\n".join(wrong)
