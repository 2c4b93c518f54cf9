"""Refused arguments: gradients and tangents that do not match the cache, and wrong settings."""

import re

import numpy as np
import pytest
from helpers.layer_examples import LAYER_CASES

from scratchgen.gradcheck import has_jvp
from scratchgen.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Embedding,
    LayerNorm,
    Linear,
    MaxPool2d,
    Parameter,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)

KIND = {"rng": np.random.default_rng(3), "dtype": np.float32}
# All layers except those of the gradient check that join the two outputs of a bijection.
CASES = [case for case in LAYER_CASES if "with logdet" not in case.name]


def wrong_versions(shape):
    """Gradients that do not match `shape`: another number of axes, another size, another dtype."""
    for axis in range(len(shape)):
        for change in (-1, 1, 40):
            other = [*shape[:axis], max(shape[axis] + change, 0), *shape[axis + 1 :]]
            yield np.ones(other, np.float32), ValueError, re.escape(f"got {tuple(other)}; is this the cache")
    yield np.ones((1, *shape), np.float32), ValueError, "is this the cache of another batch"
    if shape[::-1] != shape:
        yield np.ones(shape[::-1], np.float32), ValueError, "is this the cache of another batch"
    for dtype in (np.float64, np.float16, np.int32, ">f4"):
        yield np.ones(shape, dtype), TypeError, "of dtype float32, got"
    yield np.ones(shape, np.float32).tolist(), TypeError, "a NumPy array, got list"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layer_refuses_a_gradient_that_does_not_match_its_cache(case, training, backend):
    layer, x, _ = case.make(np.float32)
    shape = x.shape
    out, cache = layer.forward(x, training)
    for wrong, error, message in wrong_versions(out.shape):
        for input_grad in (True, False):
            with pytest.raises(error, match=message):
                layer.backward(wrong, cache, input_grad)
        with layer.frozen(), pytest.raises(error, match=message):
            layer.backward(wrong, cache)
    for wrong, error, message in wrong_versions(shape) if has_jvp(layer) else ():
        with pytest.raises(error, match=message):
            layer.jvp(wrong, cache)
    assert not any(p.grad.any() for p in layer.parameters().values())
    assert layer.backward(np.ones_like(out), cache).dtype == np.float32
    if has_jvp(layer):
        assert layer.jvp(np.ones(shape, np.float32), cache).dtype == np.float32


def hostile_versions(x):
    """Arrays of the same shape that would be misread: a mask, other rules, or a dtype that is no float."""
    masked = np.ma.masked_array(x, np.zeros(x.shape, bool))
    for kind in (complex, bool, object, "M8[s]", "U3", np.float16, np.int64):
        yield x.astype(kind)
    yield from (masked, x.tolist(), None, memoryview(np.ascontiguousarray(x)))
    if x.ndim == 2:
        yield x.view(np.matrix)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layer_refuses_masked_arrays_matrices_and_other_dtypes(case, backend):
    layer, x, _ = case.make(np.float32)
    out, cache = layer.forward(x, case.training)
    for wrong in hostile_versions(x):
        with pytest.raises(TypeError, match="expected (a NumPy array|dtype float32).*, got "):
            layer.forward(wrong, case.training)
    for wrong in hostile_versions(out):
        with pytest.raises(TypeError, match="expected a gradient or tangent.*, got "):
            layer.backward(wrong, cache)


@pytest.mark.parametrize("kind", [float, complex, bool, object, "M8[s]", "U3"])
def test_embedding_refuses_ids_that_are_not_integers(kind):
    layer, ids = Embedding(3, 2, rng=0), np.array([0, 1, 2])
    with pytest.raises(TypeError, match="Embedding expected an array of integers, got dtype"):
        layer.forward(ids.astype(kind))
    with pytest.raises(TypeError, match="Embedding expected an array of integers, got a masked array"):
        layer.forward(np.ma.masked_array(ids, [True, False, False]))


def test_message_has_the_layer_the_expected_and_the_given_shape(rng):
    _, cache = MaxPool2d(2).forward(np.ones((1, 4, 4, 1)))
    message = (
        r"^MaxPool2d expected a gradient or tangent of shape \(1, 2, 2, 1\), got \(1, 3, 3, 1\); "
        r"is this the cache of another batch\?$"
    )
    with pytest.raises(ValueError, match=message):
        MaxPool2d(2).backward(np.ones((1, 3, 3, 1)), cache)


@pytest.mark.parametrize("norm", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("training", [False, True])
def test_norm_refuses_a_cache_with_other_channels(norm, training, backend):
    x = np.ones((4, 50), np.float32)
    _, cache = norm(50).forward(x, training)
    message = f"{norm.__name__} expected a cache with 3 channels, got 50"
    for call in (norm(3).backward, norm(3).jvp):
        with pytest.raises(ValueError, match=message):
            call(x, cache)


@pytest.mark.parametrize(
    "layer", [MaxPool2d(2, padding=1), AvgPool2d(2, padding=1), Conv2d(2, 3, 2, padding=1, rng=0)]
)
@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_layer_refuses_an_image_without_pixels(layer, size, backend):
    message = rf"{type(layer).__name__} expected images of at least one pixel, got {size[0]}x{size[1]}"
    with pytest.raises(ValueError, match=message):
        layer.forward(np.ones((1, *size, 2), np.float32))


@pytest.mark.parametrize("dtype", [np.float16, ">f4", np.longdouble, np.int32, bool, complex])
def test_layer_refuses_dtypes_other_than_native_float32_and_float64(dtype):
    x = np.ones((3, 4), dtype)
    with pytest.raises(TypeError, match=f"Tanh expected dtype float32 or float64, got {x.dtype}"):
        Tanh().forward(x)
    kind = {"rng": np.random.default_rng(0), "dtype": dtype}
    builds = {
        "Linear": lambda: Linear(4, 3, **kind),
        "Conv2d": lambda: Conv2d(1, 2, 3, **kind),
        "ConvTranspose2d": lambda: ConvTranspose2d(1, 2, 3, **kind),
        "BatchNorm": lambda: BatchNorm(3, dtype=dtype),
        "LayerNorm": lambda: LayerNorm(3, dtype=dtype),
        "Parameter": lambda: Parameter(x),
    }
    for who, build in builds.items():
        with pytest.raises(TypeError, match=f"{who} expected dtype float32 or float64, got {x.dtype}"):
            build()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Reshape((28, 28, 1)), TypeError, r"Reshape expected size to be an int, got \(28, 28, 1\)"),
        (lambda: LayerNorm((3,)), TypeError, r"LayerNorm expected features to be an int, got \(3,\)"),
        (lambda: BatchNorm(2.5), TypeError, "BatchNorm expected num_features to be an int, got 2.5"),
        (lambda: Linear("4", 2, **KIND), TypeError, "Linear expected in_features to be an int, got '4'"),
        (lambda: Linear(4, 0, **KIND), ValueError, "Linear expected out_features of at least 1, got 0"),
        (lambda: Sequential([ReLU()]), TypeError, "Sequential expected layers, got a list: unpack it with *"),
        (lambda: Sequential(ReLU(), Tanh), TypeError, "Sequential expected layers, got class Tanh"),
        (lambda: Sequential(None), TypeError, "Sequential expected layers, got None"),
    ],
)
def test_error_messages_of_settings(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("count", [np.int64(3), np.uint8(3)])
def test_counts_may_be_numpy_integers(count):
    assert LayerNorm(count).weight.shape == (3,)
