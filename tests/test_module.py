"""Module: how layers and Parameters are found, and the summary."""

from collections import deque
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from scratchgen import (
    DCGAN,
    VAE,
    Conv2d,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Parameter,
    ReLU,
    Sequential,
    Tanh,
    TransformerBlock,
)
from scratchgen.gradcheck import check_layer


def test_summary_shows_layers_shapes_counts_and_the_total(rng):
    net = Sequential(Conv2d(1, 16, 3, rng=rng), ReLU(), Flatten(), Linear(10816, 10, rng=rng))
    assert str(net.summary()).splitlines() == [
        "Sequential",
        "Name   Layer    Output         Parameter        Numbers",
        "-------------------------------------------------------",
        "0      Conv2d   (N, H, W, 16)  weight 3×3×1×16      144",
        "                               bias 16               16",
        "1      ReLU",
        "2      Flatten  (N, D)",
        "3      Linear   (N, 10)        weight 10816×10  108,160",
        "                               bias 10               10",
        "-------------------------------------------------------",
        "Total                                           108,330",
    ]


def test_summary_repr_is_the_table(rng):
    summary = Linear(3, 2, rng=rng).summary()
    assert repr(summary) == str(summary) and summary.total == 8
    assert [row[3:] for row in summary.rows] == [("weight 3×2", 6), ("bias 2", 2)]


@pytest.mark.parametrize(
    "build",
    [
        lambda rng: VAE.dense((784, 400, 20), rng=rng),
        lambda rng: DCGAN(100, (64, 128), rng=rng),
        lambda rng: Sequential(*(TransformerBlock(64, 4, rng=rng) for _ in range(2))),
        lambda rng: Sequential(Sequential(Sequential(Embedding(7, 4, rng=rng), LayerNorm(4)))),
    ],
)
def test_summary_is_at_most_78_columns_wide_and_counts_all_parameters(build, rng):
    model = build(rng)
    lines = str(model.summary()).splitlines()
    assert max(map(len, lines)) <= 78 and lines == [line.rstrip() for line in lines]
    total = sum(p.size for p in model.parameters().values())
    assert lines[-1].split() == ["Total", f"{total:,}"]
    assert sum(row[4] or 0 for row in model.summary().rows) == total


def test_summary_cuts_long_names():
    class AVeryLongNameForALayerThatDoesNothing(Layer):
        def __init__(self):
            self.a_parameter_with_a_name_that_is_much_too_long_for_a_table = Parameter(np.ones((2, 3)))

    inner = AVeryLongNameForALayerThatDoesNothing()
    net = Sequential(Sequential(Sequential(inner)))
    assert max(map(len, str(net.summary()).splitlines())) <= 78
    assert "AVeryLongNameForA…" in str(net.summary())


def test_summary_counts_a_shared_parameter_once(rng):
    layer = Linear(3, 2, rng=rng)
    assert Sequential(layer, layer).summary().total == 8


def linear(seed=0):
    return Linear(3, 2, rng=seed, dtype=np.float64)


@dataclass
class Settings:
    layer: Layer
    width: int = 3


class Held(Layer):
    """A layer that keeps whatever it is given."""

    def __init__(self, held=None):
        self.held = held

    def forward(self, x, training=False):
        return x, None

    def backward(self, dout, cache, input_grad=True):
        return dout if input_grad else None


FOUND = {
    "attribute": (lambda: linear(), ["held"]),
    "list": (lambda: [linear(), linear()], ["held.0", "held.1"]),
    "nested": (lambda: [[linear()], {"a": (linear(),)}], ["held.0.0", "held.1.a.0"]),
    "deque": (lambda: deque([linear()]), ["held.0"]),
    "dict": (lambda: {1: linear(), "b": linear()}, ["held.1", "held.b"]),
    "read-only dict": (lambda: MappingProxyType({"a": linear()}), ["held.a"]),
    "dataclass": (lambda: Settings(linear()), ["held.layer"]),
}


@pytest.mark.parametrize("name", FOUND)
def test_layers_are_found_in_containers(name):
    build, names = FOUND[name]
    later = Held()
    later.held = build()                                    # set after the construction
    for layer in (Held(build()), later):
        assert list(layer.children()) == names
        assert list(layer.parameters()) == [f"{n}.{p}" for n in names for p in ("weight", "bias")]
        assert layer.dtype == np.float64


def test_dtype_is_that_of_parameters_in_a_list():
    layer = Held([Parameter(np.ones(2, np.float32))])
    assert layer.dtype == np.float32
    with pytest.raises(TypeError, match="Held expected dtype float32, got float64"):
        layer.expect(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: {linear()}, "set"),
        (lambda: frozenset([linear()]), "frozenset"),
        (lambda: {"a": linear()}.values(), "dict_values"),
        (lambda: np.array([linear(), linear()], dtype=object), "ndarray"),
    ],
)
def test_containers_without_order_or_names_are_refused(build, kind):
    message = f"Held.held has a Linear in a {kind}, where it is not found: use a list, tuple or dict"
    with pytest.raises(TypeError, match=message):
        Sequential(Held(build())).parameters()


def test_equal_names_are_refused():
    with pytest.raises(ValueError, match="Held expected different names, got held.1 twice"):
        Held({1: linear(), "1": linear(1)}).parameters()


def test_module_that_contains_itself_is_refused():
    layer = Held()
    layer.held = [layer]
    with pytest.raises(ValueError, match="Held contains itself, in one of its attributes"):
        layer.parameters()


@pytest.mark.parametrize(
    ("held", "where"),
    [
        (SimpleNamespace(inner=linear()), "held.inner (inside another object)"),
        (SimpleNamespace(w=Parameter(np.ones(2))), "held.w (inside another object)"),
        (linear().forward, "held.__self__ (inside another object)"),
        (np.ones(3), "held (neither a Parameter nor in buffer_names)"),
        ([np.ones(3)], "held.0 (neither a Parameter nor in buffer_names)"),
    ],
)
def test_gradient_check_reports_what_is_not_found(held, where):
    failed = [r.what for r in check_layer(Held(held), np.ones((2, 3)), rng=0) if not r.ok]
    assert failed == [where]


def test_gradient_check_accepts_functions_and_references_to_known_layers():
    inner = linear()
    layer = Held([np.tanh, Tanh().forward, SimpleNamespace(again=inner), inner.forward])
    layer.inner = inner
    found = [r.what for r in check_layer(layer, np.ones((2, 3)), rng=0)]
    assert found == ["input", "inner.weight", "inner.bias"]
