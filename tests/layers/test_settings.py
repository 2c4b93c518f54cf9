"""Settings of layers: random seeds and what repr shows."""

import inspect

import numpy as np
import pytest
from helpers.layer_examples import PUBLIC, build, layer_examples

from scratchgen import initializers
from scratchgen.layers import (
    ELU,
    AdditiveCoupling,
    AffineCoupling,
    AvgPool2d,
    BatchNorm,
    CausalSelfAttention,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Embedding,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaskedConv2d,
    MaxPool2d,
    ReLU,
    Reshape,
    Scaling,
    TransformerBlock,
)

RANDOM = [name for name, cls in PUBLIC.items() if "rng" in inspect.signature(cls).parameters]
INITIALIZERS = [
    initializers.he_normal,
    initializers.glorot_uniform,
    initializers.glorot_normal,
    initializers.normal,
    initializers.orthogonal,
]


@pytest.mark.parametrize("name", RANDOM)
def test_layer_accepts_a_seed_instead_of_a_generator(name):
    one, other = build(name, rng=7), build(name, rng=np.random.default_rng(7))
    for a, b in zip(one.parameters().values(), other.parameters().values(), strict=True):
        np.testing.assert_array_equal(a.value, b.value)
    for a, b in zip(one.generators().values(), other.generators().values(), strict=True):
        assert a.random() == b.random()
    for wrong in (None, True, "7"):
        with pytest.raises(TypeError, match=f"{name} expected rng to be a numpy.random.Generator or"):
            build(name, rng=wrong)


def test_layers_inside_a_block_do_not_start_from_the_same_seed():
    block = TransformerBlock(4, 2, dropout=0.5, rng=7)
    weights = [p.value.ravel()[:8] for name, p in block.parameters().items() if name.endswith("weight")]
    learnt = [w.tolist() for w in weights if np.ptp(w) > 0]
    assert len({tuple(w) for w in learnt}) == len(learnt) == 4
    assert block.drop1.rng.random() != block.drop2.rng.random()


def test_dropout_accepts_a_seed():
    x = np.ones((4, 50))
    first, second = (Dropout(rng=rng).forward(x, training=True)[0] for rng in (3, np.random.default_rng(3)))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("rule", INITIALIZERS)
def test_initializer_accepts_a_seed(rule):
    expected = rule((4, 3), 4, 3, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(rule((4, 3), 4, 3, rng=5), expected)
    with pytest.raises(TypeError, match="expected rng to be a numpy.random.Generator or .*, got None"):
        rule((4, 3), 4, 3, rng=None)


SHOWN = [
    (Linear(3, 2, rng=0), "Linear(3, 2, bias=True)"),
    (
        Conv2d(1, 2, (3, 2), rng=0),
        "Conv2d(1, 2, kernel_size=(3, 2), stride=(1, 1), padding=(0, 0), bias=True)",
    ),
    (ReLU(), "ReLU()"),
    (LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
    (ELU(0.5), "ELU(alpha=0.5)"),
    (Dropout(0.3, rng=0), "Dropout(0.3)"),
    (Reshape(2, 3), "Reshape(2, 3)"),
    (BatchNorm(3), "BatchNorm(3, eps=1e-05, momentum=0.1)"),
    (LayerNorm(3), "LayerNorm(3, eps=1e-05)"),
    (MaxPool2d(2), "MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"),
    (AvgPool2d(2, 1), "AvgPool2d(kernel_size=(2, 2), stride=(1, 1), padding=(0, 0))"),
    (Embedding(5, 2, rng=0), "Embedding(5, 2, std=0.02)"),
    (Scaling(3), "Scaling(3)"),
    (CausalSelfAttention(4, 2, rng=0), "CausalSelfAttention(4, 2, rotary=False)"),
    (TransformerBlock(4, 2, dropout=0.1, rng=0), "TransformerBlock(4, 2, rotary=False, dropout=0.1)"),
    (
        MaskedConv2d(1, 2, np.tri(3, 3) > 0, rng=0),
        "MaskedConv2d(1, 2, kernel_size=(3, 3), taps=6 of 9, stride=(1, 1), padding=(0, 0), bias=True)",
    ),
    (
        ConvTranspose2d(1, 2, 3, 2, rng=0),
        "ConvTranspose2d(1, 2, kernel_size=(3, 3), stride=(2, 2), padding=(0, 0), output_padding=(0, 0), "
        "bias=True)",
    ),
    (AdditiveCoupling(ReLU(), "even"), "AdditiveCoupling(ReLU(), 'even')"),
    (AffineCoupling(ReLU(), "odd"), "AffineCoupling(ReLU(), 'odd', bound=2.0)"),
]


@pytest.mark.parametrize("name", [name for name, cls in PUBLIC.items() if layer_examples().get(name)])
def test_repr_shows_every_setting(name):
    """All settings except those that are visible in the parameters: the mask, the dtype, the initialiser."""
    layer, given = build(name), inspect.signature(PUBLIC[name]).bind_partial()
    given.arguments = layer_examples()[name]
    given.apply_defaults()
    shown = repr(layer)
    assert shown.startswith(f"{name}(")
    for setting, value in given.arguments.items():
        if setting in ("rng", "dtype", "init", "recurrent_init") or isinstance(value, np.ndarray):
            continue
        values = value if isinstance(value, tuple) else (value,)
        for part in values:
            assert repr(part) in shown or part is None, f"{setting}={value!r} in {shown}"


@pytest.mark.parametrize(("layer", "shown"), SHOWN, ids=[shown.partition("(")[0] for _, shown in SHOWN])
def test_repr_shows_the_settings(layer, shown):
    assert repr(layer) == shown
    with layer.frozen():
        assert repr(layer) == shown
