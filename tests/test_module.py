"""Module.summary: a table of layers, shapes and counts."""

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
    TransformerBlock,
)


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


def test_two_parameters_of_one_name_are_refused(rng):
    """One of them would neither be trained nor saved."""
    layer = Layer()
    layer.blocks = {"a.b": Linear(2, 2, rng=rng), "a": {"b": Linear(2, 2, rng=rng)}}
    for method in (layer.children, layer.parameters, layer.summary):
        with pytest.raises(ValueError, match="have the name 'blocks.a.b'; do not use dots"):
            method()
    layer.blocks = {"a.b": Parameter(np.zeros(2)), "a": {"b": Parameter(np.zeros(2))}}
    with pytest.raises(ValueError, match="two parameters or modules have the name 'blocks.a.b'"):
        layer.parameters()
    layer.blocks = {"a.b": 1, "a": {"b": 2, "c": Linear(2, 2, rng=rng)}}
    assert list(layer.parameters()) == ["blocks.a.c.weight", "blocks.a.c.bias"]
