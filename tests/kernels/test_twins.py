"""Every function decorated with `compiled` has the same signature and the same results as its twin."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scratchgen
from scratchgen import kernels
from scratchgen.kernels.blocks import column_blocks
from scratchgen.kernels.recurrent import Saved
from scratchgen.layers import GRU, LSTM

for module in pkgutil.walk_packages(scratchgen.__path__, "scratchgen."):
    source = Path(importlib.util.find_spec(module.name).origin).read_text(encoding="utf-8")
    if "@compiled" in source and not module.name.startswith("scratchgen.kernels"):
        importlib.import_module(module.name)

FUNCTIONS = {f"{f.__module__}.{f.__name__}": f for f in kernels.FUNCTIONS}
DTYPES = [np.float32, np.float64]
LARGE = [s * x for x in (1e-30, 1e-3, 15.0, 88.0, 95.0, 1e4) for s in (1, -1)]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, *LARGE]


class Draw:
    """Draws the arguments of a function: arrays of a given dtype, from one generator."""

    def __init__(self, dtype: Any, seed: int):
        self.dtype, self.rng = dtype, np.random.default_rng(seed)
        self.n, self.c, self.m, self.t = (int(v) for v in self.rng.integers(2, 9, 4))

    def __call__(self, *shape: int) -> np.ndarray:
        return (3 * self.rng.standard_normal(shape)).astype(self.dtype)

    def positive(self, *shape: int) -> np.ndarray:
        return np.abs(self(*shape)) + self.dtype(0.1)

    def uniform(self, *shape: int) -> np.ndarray:
        return self.rng.random(shape).astype(self.dtype)


def elementwise(*settings: float, arrays: int = 1) -> Callable[[Draw], tuple]:
    return lambda a: (*(a(a.n, a.m, a.c) for _ in range(arrays)), *settings)


def windows(a: Draw) -> tuple[tuple, tuple, tuple, tuple, tuple]:
    """(image size, kernel, stride, padding, output size), with padding of at most half the kernel."""
    kernel, stride = (tuple(int(v) for v in a.rng.integers(1, 4, 2)) for _ in range(2))
    padding = tuple(int(a.rng.integers(0, k // 2 + 1)) for k in kernel)
    size = tuple(int(k + v) for k, v in zip(kernel, a.rng.integers(0, 5, 2), strict=True))
    out = tuple((h + 2 * p - k) // s + 1 for h, k, s, p in zip(size, kernel, stride, padding, strict=True))
    return size, kernel, stride, padding, out


def conv2d(a: Draw) -> tuple:
    size, kernel, stride, padding, _ = windows(a)
    bias = a(a.m) if a.n % 2 else None
    return a(a.n, *size, a.c), a(*kernel, a.c, a.m), bias, stride, padding


def conv2d_weight_grad(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *out, a.m), a(a.n, *size, a.c), kernel, stride, padding


def conv2d_input_grad(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *out, a.m), a(*kernel, a.c, a.m), size, stride, padding


def conv_transpose2d(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *out, a.c), a(*kernel, a.c, a.m), a(a.m), size, stride, padding


def conv_transpose2d_weight_grad(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *size, a.m), a(a.n, *out, a.c), kernel, stride, padding


def conv_transpose2d_input_grad(a: Draw) -> tuple:
    size, kernel, stride, padding, _ = windows(a)
    return a(a.n, *size, a.m), a(*kernel, a.c, a.m), stride, padding


def im2col(a: Draw) -> tuple:
    size, kernel, stride, padding, _ = windows(a)
    return a(a.n, *size, a.c), kernel, stride, padding


def col2im(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *out, *kernel, a.c), size, stride, padding


def max_pool(a: Draw) -> tuple:
    size, kernel, stride, padding, _ = windows(a)
    return a.rng.integers(-3, 3, (a.n, *size, a.c)).astype(a.dtype), kernel, stride, padding    # with ties


def max_pool_backward(a: Draw) -> tuple:
    size, _, _, _, out = windows(a)
    where = a.rng.integers(0, size[0] * size[1], (a.n, *out, a.c)).astype(np.int32)
    return a(a.n, *out, a.c), where, size


def avg_pool_backward(a: Draw) -> tuple:
    size, kernel, stride, padding, out = windows(a)
    return a(a.n, *out, a.c), size, kernel, stride, padding


def attention(a: Draw) -> tuple:
    return a(a.n, a.t, 3 * 2 * a.c), 2, bool(a.rng.integers(2))


def attention_backward(a: Draw) -> tuple:
    p, causal = a.uniform(a.n, 2, a.t, a.t), bool(a.rng.integers(2))
    p = np.tril(p) if causal else p
    p /= p.sum(axis=3, keepdims=True) + a.dtype(1e-3)
    return a(a.n, a.t, 2 * a.c), a(a.n, a.t, 3 * 2 * a.c), p, causal


def cross_attention(a: Draw) -> tuple:
    """Queries and memories of different lengths, with and without padding."""
    within = np.arange(a.m) < a.rng.integers(1, a.m + 1, (a.n, 1, 1, 1)) if a.rng.integers(2) else None
    return a(a.n, 2, a.t, a.c), a(a.n, 2, a.m, a.c), a(a.n, 2, a.m, a.c), within


def cross_attention_backward(a: Draw) -> tuple:
    p = a.uniform(a.n, 2, a.t, a.m)
    p /= p.sum(axis=3, keepdims=True)
    q, k, v, _ = cross_attention(a)
    return a(a.n, a.t, 2 * a.c), q, k, v, p


def group_norm(a: Draw) -> tuple:
    return a(a.n, a.t, 2 * a.c), a(2 * a.c), a(2 * a.c), 2, 1e-5


def group_norm_backward(a: Draw) -> tuple:
    x = a(a.n, a.t, 2 * a.c)
    xhat = x - x.mean(axis=1, keepdims=True)    # mean 0 for each channel, so also for groups of any size
    return a(a.n, a.t, 2 * a.c), xhat, a.positive(a.n, 2), a(2 * a.c)


def lstm_cell_backward(a: Draw) -> tuple:
    c = a(a.n, a.c)
    return a(a.n, a.c), a(a.n, a.c), a.uniform(a.n, 4 * a.c), c, np.tanh(c)


def gru_cell_backward(a: Draw) -> tuple:
    return a(a.n, a.c), a.uniform(a.n, 3 * a.c), a(a.n, a.c), a(a.n, a.c)


def recurrent_layer(a: Draw) -> tuple[Any, tuple, np.ndarray | None]:
    """(layer, states of 2 sequences, whether each of T steps is within its sequence, or None)."""
    kind = (LSTM, GRU)[int(a.rng.integers(2))]
    layer = kind(1, a.c, rng=0, dtype=a.dtype, truncate=(None, 2)[int(a.rng.integers(2))])
    states = tuple(a(a.n, a.c) for _ in layer.state_names)
    active = np.arange(a.t)[:, None, None] < a.rng.integers(1, a.t + 1, (a.n, 1))
    return layer, states, active if a.rng.integers(2) else None


def forward_steps(a: Draw) -> tuple:
    layer, states, active = recurrent_layer(a)
    return layer, a(a.t, a.n, layer.gates * a.c), a(a.c, layer.gates * a.c), states, active


def backward_steps(a: Draw) -> tuple:
    layer, _, active = recurrent_layer(a)
    kept = Saved(a.uniform(a.t, a.n, layer.gates * a.c), a(a.t, a.n, a.c))
    ds, states = (tuple(a(*size, a.n, a.c) for _ in layer.state_names) for size in ((), (a.t + 1,)))
    weight = a(a.c, layer.gates * a.c)
    return layer, a(a.t, a.n, a.c), ds, states, kept, weight, active


def normal_log_interval(a: Draw) -> tuple:
    low = 10 * a(a.n, a.m)
    return low, low + a.positive(a.n, a.m)


def masked(a: Draw) -> tuple[np.ndarray, tuple]:
    mask = np.tril(a.rng.random((a.c, 80)) < 0.7, k=2)
    return mask, column_blocks(mask)


def masked_weight(a: Draw) -> tuple:
    mask, _ = masked(a)
    return a(*mask.shape), mask


def masked_affine(a: Draw) -> tuple:
    mask, blocks = masked(a)
    return a(a.n, a.t, a.c), a(*mask.shape) * mask, a(80), blocks


def masked_weight_grad(a: Draw) -> tuple:
    mask, blocks = masked(a)
    return a(a.n, a.t, 80), a(a.n, a.t, a.c), mask, blocks


def masked_input_grad(a: Draw) -> tuple:
    mask, blocks = masked(a)
    return a(a.n, a.t, 80), a(*mask.shape) * mask, blocks


def fill_pixels(a: Draw) -> tuple:
    places, widths = 9, (7, 5)
    degrees = [np.sort(a.rng.integers(1, places, width)) for width in widths]
    ends = tuple(np.searchsorted(m, np.arange(places), side="right") for m in degrees)
    upper = a(widths[1], widths[0]), a(places, widths[1])
    starts = tuple(a(20, width) for width in (*widths, places))
    x = (a.uniform(20, places) < 0.5).astype(a.dtype)
    return x, a.uniform(20, places), 2, a(places, widths[0]), upper, ends, starts


ARGUMENTS: dict[str, Callable[[Draw], tuple]] = {
    "layers.linear.affine": lambda a: (a(a.n, a.t, a.c), a(a.c, a.m), a(a.m) if a.n % 2 else None),
    "layers.linear.affine_bias_grad": lambda a: (a(a.n, a.t, a.c),),
    "layers.linear.affine_input_grad": lambda a: (a(a.n, a.t, a.m % 3 + 1), a(a.c, a.m % 3 + 1)),
    "layers.activations.relu": elementwise(),
    "layers.activations.relu_backward": elementwise(arrays=2),
    "layers.activations.leaky_relu": elementwise(0.2),
    "layers.activations.leaky_relu_backward": elementwise(0.2, arrays=2),
    "layers.activations.elu": elementwise(0.7),
    "layers.activations.elu_backward": elementwise(0.7, arrays=2),
    "layers.activations.sigmoid": elementwise(),
    "layers.activations.sigmoid_backward": elementwise(arrays=2),
    "layers.activations.tanh": elementwise(),
    "layers.activations.tanh_backward": elementwise(arrays=2),
    "layers.activations.silu": elementwise(),
    "layers.activations.silu_backward": elementwise(arrays=3),
    "layers.activations.gelu": elementwise(),
    "layers.activations.gelu_backward": elementwise(arrays=2),
    "layers.activations.softplus": elementwise(),
    "layers.activations.softplus_backward": elementwise(arrays=2),
    "layers.normalisation.batch_norm": lambda a: (a(a.n, a.c), a(a.c), a(a.c), 1e-5),
    "layers.normalisation.batch_norm_backward": lambda a: (
        a(a.n, a.c), *batch_normalised(a(a.n, a.c)), a(a.c)
    ),
    "layers.normalisation.scale_shift_backward": lambda a: (a(a.n, a.c), a(a.n, a.c)),
    "layers.normalisation.layer_norm": lambda a: (a(a.n, a.c), a(a.c), a(a.c), 1e-5),
    "layers.normalisation.layer_norm_backward": lambda a: (
        a(a.n, a.c), *(v.T for v in batch_normalised(a(a.c, a.n))), a(a.c)
    ),
    "layers.conv.im2col": im2col,
    "layers.conv.col2im": col2im,
    "layers.conv.conv2d": conv2d,
    "layers.conv.conv2d_weight_grad": conv2d_weight_grad,
    "layers.conv.conv2d_input_grad": conv2d_input_grad,
    "layers.conv.conv_transpose2d": conv_transpose2d,
    "layers.conv.conv_transpose2d_weight_grad": conv_transpose2d_weight_grad,
    "layers.conv.conv_transpose2d_input_grad": conv_transpose2d_input_grad,
    "layers.pooling.max_pool": max_pool,
    "layers.pooling.max_pool_backward": max_pool_backward,
    "layers.pooling.avg_pool": max_pool,
    "layers.pooling.avg_pool_backward": avg_pool_backward,
    "layers.upsample.upsample": lambda a: (a(a.n, a.m, a.t, a.c), 2),
    "layers.upsample.upsample_backward": lambda a: (a(a.n, 3 * a.m, 3 * a.t, a.c), 3),
    "layers.arrays.add": lambda a: (a(a.n, a.m, a.c), a(a.n, a.m, a.c)),
    "layers.arrays.add_to_pixels": lambda a: (a(a.n, a.m, a.t, a.c), a(a.n, a.c)),
    "layers.arrays.sum_over_pixels": lambda a: (a(a.n, a.m, a.t, a.c),),
    "layers.arrays.join": lambda a: (a(a.n, a.t, a.c), a(a.n, a.t, a.m)),
    "layers.arrays.split": lambda a: (a(a.n, a.t, a.c + a.m), a.c),
    "layers.recurrent.steps_first": lambda a: (a(a.n, a.t, a.c),),
    "layers.attention.attention": attention,
    "layers.attention.attention_backward": attention_backward,
    "layers.cross_attention.cross_attention": cross_attention,
    "layers.cross_attention.cross_attention_backward": cross_attention_backward,
    "layers.group_norm.group_norm": group_norm,
    "layers.group_norm.group_norm_backward": group_norm_backward,
    "layers.lstm.lstm_cell": lambda a: (a(a.n, 4 * a.c), a(a.n, 4 * a.c), a(a.n, a.c)),
    "layers.lstm.lstm_cell_backward": lstm_cell_backward,
    "layers.gru.gru_cell": lambda a: (a(a.n, 3 * a.c), a(a.n, 3 * a.c), a(a.c), a(a.n, a.c)),
    "layers.gru.gru_cell_backward": gru_cell_backward,
    "layers.recurrent.forward_steps": forward_steps,
    "layers.recurrent.backward_steps": backward_steps,
    "layers.masked.masked_weight": masked_weight,
    "layers.masked.masked_affine": masked_affine,
    "layers.masked.masked_weight_grad": masked_weight_grad,
    "layers.masked.masked_input_grad": masked_input_grad,
    "losses.squared_error": lambda a: (a(a.n, a.m, a.c), a.uniform(a.n, a.m, a.c)),
    "losses.absolute_error": lambda a: (a(a.n, a.m, a.c), a.uniform(a.n, a.m, a.c)),
    "losses.bce_with_logits": lambda a: (a(a.n, a.m, a.c), a.uniform(a.n, a.m, a.c)),
    "losses.softmax_cross_entropy": lambda a: (a(a.n, a.c), a.rng.integers(0, a.c, a.n)),
    "distributions.bernoulli_log_prob": lambda a: ((a(a.n, a.c) > 0).astype(a.dtype), a(a.n, a.m, a.c)),
    "distributions.normal_log_interval": normal_log_interval,
    "training.optimisers.sgd_step": lambda a: (a(61), a(61), 0.1),
    "training.optimisers.momentum_step": lambda a: (a(61), a(61), a(61), 0.1, 0.9),
    "training.optimisers.rmsprop_step": lambda a: (a(61), a(61), a.positive(61), 0.1, 0.99, 1e-8),
    "training.optimisers.adam_step": lambda a: (
        a(61), a(61), a(61), a.positive(61), 0.1, 0.9, 0.999, 1e-8, 3
    ),
    "data.augment.affine_warp": lambda a: (
        a.uniform(a.n, 9, 11), a(a.n, 6) / 3 + np.array([1, 0, 0, 1, 0, 0], a.dtype), 0.75
    ),
    "models.autoregressive.made_sampling.fill_pixels": fill_pixels,
}  # fmt: skip
IN_PLACE = {"sgd_step": 1, "momentum_step": 3, "rmsprop_step": 3, "adam_step": 4}   # arrays, by position


def batch_normalised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(xhat, inv) of the columns of x. Both have two axes for layer norm; inv has one for batch norm."""
    inv = 1 / np.sqrt(x.var(axis=0) + x.dtype.type(1e-3))
    return (x - x.mean(axis=0)) * inv, inv


def arguments(name: str, dtype: Any, seed: int) -> list[Any]:
    found = list(ARGUMENTS[name.removeprefix("scratchgen.")](Draw(dtype, seed)))
    if name.endswith("layer_norm_backward"):
        found[2] = found[2][:, None]    # (M, 1)
    return found


def arrays(value: Any) -> list[np.ndarray]:
    """All arrays and numbers in a result or argument, in order."""
    if isinstance(value, tuple | list):
        return [a for part in value for a in arrays(part)]
    return [np.asarray(value)] if isinstance(value, np.ndarray | float | np.floating) else []


def call(function: Callable[..., Any], given: list[Any]) -> tuple[list[np.ndarray], list[Any]]:
    """(the arrays that were returned or updated in place, the arguments after the call)."""
    copies = [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in given]
    returned = function(*copies)
    changed = copies[: IN_PLACE.get(function.__name__, 0)]
    return [*arrays(returned), *arrays(changed)], copies


def both(name: str, given: list[Any]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The results of the readable function and of its twin."""
    found = []
    for backend in ("reference", "jit"):
        with kernels.use(backend):
            found.append(call(FUNCTIONS[name], given)[0])
    return found[0], found[1]


def assert_same(readable: list[np.ndarray], twin: list[np.ndarray], dtype: Any) -> None:
    rtol, atol = (5e-5, 1e-5) if dtype == np.float32 else (1e-11, 1e-12)
    assert len(readable) == len(twin) > 0
    for a, b in zip(readable, twin, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(b, a, rtol=rtol, atol=atol * max(1, np.abs(a).max(initial=0)))


def test_every_compiled_function_has_arguments_here():
    assert sorted(FUNCTIONS) == sorted(f"scratchgen.{name}" for name in ARGUMENTS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twin_has_the_same_signature(name):
    readable = FUNCTIONS[name].__wrapped__
    twin = kernels.find_twin(readable)
    shown = [
        [(p.name, p.default, p.kind) for p in inspect.signature(f).parameters.values()]
        for f in (readable, twin)
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_twin_returns_the_same_numbers(name, dtype):
    for seed in range(4):
        assert_same(*both(name, arguments(name, dtype, seed)), dtype)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.__name__ not in IN_PLACE])
def test_twin_accepts_non_contiguous_arrays(name, layout):
    given = arguments(name, np.float64, 1)
    expected, _ = both(name, given)
    changed = [LAYOUTS[layout](a) if isinstance(a, np.ndarray) else a for a in given]
    readable, twin = both(name, changed)
    assert_same(expected, readable, np.float64)
    assert_same(expected, twin, np.float64)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_does_not_change_its_arguments(name, backend):
    """An exception are the buffers of an optimiser, which a step updates. The gradient does not change."""
    given = arguments(name, np.float64, 2)
    with kernels.use(backend):
        _, after = call(FUNCTIONS[name], given)
    changed = {"sgd_step": {0}, "momentum_step": {0, 2}, "rmsprop_step": {0, 2}, "adam_step": {0, 2, 3}}
    for i, (a, b) in enumerate(zip(given, after, strict=True)):
        same = all(np.array_equal(u, v) for u, v in zip(arrays(a), arrays(b), strict=True))
        assert same == (i not in changed.get(FUNCTIONS[name].__name__, set())), i


def resized(a: np.ndarray, axis: int, by: int) -> np.ndarray:
    """The array with one axis longer or shorter by one. Its last entries are repeated or left out."""
    index = np.arange(a.shape[axis] + by).clip(0, a.shape[axis] - 1)
    return np.take(a, index, axis=axis)


def wrong_shapes(given: list[Any]) -> Iterator[list[Any]]:
    """The arguments with one axis of one array changed, or with an additional axis."""
    for i, a in enumerate(given):
        if isinstance(a, np.ndarray):
            changed = [resized(a, axis, by) for axis in range(a.ndim) for by in (-1, 1) if a.shape[axis] + by]
            for wrong in (*changed, a[None], a[..., None]):
                yield [*given[:i], wrong, *given[i + 1 :]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twin_refuses_shapes_that_the_readable_function_refuses(name):
    """A compiled loop does not check array bounds. If the readable function broadcasts, a twin may refuse."""
    seen = 0
    for given in wrong_shapes(arguments(name, np.float64, 3)):
        found = []
        for backend in ("reference", "jit"):
            with kernels.use(backend), np.errstate(all="ignore"):
                try:
                    found.append(call(FUNCTIONS[name], given)[0])
                except (ValueError, TypeError, IndexError):
                    found.append(None)
        readable, twin = found
        if twin is not None:
            assert readable is not None, [getattr(a, "shape", a) for a in given]
            assert_same(readable, twin, np.float64)
        seen += 1
    assert seen


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twin_refuses_integers_and_mixed_dtypes(name):
    """Computed in the dtype of an integer array, a sigmoid would be 0."""
    given = arguments(name, np.float64, 3)
    floats = [i for i, a in enumerate(given) if isinstance(a, np.ndarray) and a.dtype == np.float64]
    for i in floats:
        wrong = [np.int64, np.float16] + [np.float32] * (len(floats) > 1)
        for dtype in wrong:
            with kernels.use("jit"), pytest.raises(TypeError):
                FUNCTIONS[name](*[a.astype(dtype) if j == i else a for j, a in enumerate(given)])


@pytest.mark.parametrize(
    "name, given",
    [
        ("layers.conv.conv2d", (np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1)), None, (1, 1), (0, 0))),
        ("layers.conv.im2col", (np.ones((1, 2, 2, 1)), (3, 3), (1, 1), (0, 0))),
        ("layers.pooling.max_pool", (np.ones((1, 2, 2, 1)), (3, 3), (1, 1), (0, 0))),
        ("layers.pooling.max_pool_backward", (np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 4), (2, 2))),
        ("layers.attention.attention", (np.ones((1, 2, 9)), 2, True)),
        (
            "layers.cross_attention.cross_attention",
            (np.ones((1, 2, 2, 2)), *[np.ones((1, 2, 3, 2))] * 2, np.ones((1, 2, 2, 3), bool)),
        ),
        (
            "layers.cross_attention.cross_attention_backward",
            (np.ones((1, 2, 5)), *[np.ones((1, 2, 2, 2))] * 3, np.ones((1, 2, 2, 2))),
        ),
    ],
)
def test_twin_refuses_images_smaller_than_the_window_and_positions_outside(name, given):
    with kernels.use("jit"), pytest.raises(ValueError, match=f"^{name.rpartition('.')[2]} expected "):
        FUNCTIONS[f"scratchgen.{name}"](*given)


ACTIVATIONS = [name for name in FUNCTIONS if "activations" in name]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if not name.endswith("_backward")])
def test_activations_agree_on_nan_infinity_and_large_numbers(name, dtype):
    x = np.array(SPECIAL, dtype)
    with np.errstate(all="ignore"):
        readable, twin = both(name, [x, *arguments(name, dtype, 0)[1:]])
    assert np.isnan(readable[0][0]) and np.isnan(twin[0][0])
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(twin[0], readable[0], rtol=rtol, atol=1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name.endswith("_backward")])
def test_activations_keep_a_nan_gradient(name, dtype):
    given = arguments(name, dtype, 0)
    given[1] = np.abs(given[1]) + dtype(0.1)    # where the slope of a rectifier is not zero
    given[0].flat[::5] = np.nan
    expected = np.isnan(given[0])
    for found in both(name, given):
        np.testing.assert_array_equal(np.isnan(found[0]), expected)


MAGNITUDES = [1e-38, 1e-20, 1e-6, 1e3, 1e8, 1e15]


@pytest.mark.parametrize("size", MAGNITUDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if not n.endswith("fill_pixels")])
def test_twin_agrees_for_small_and_large_numbers(name, dtype, size):
    """Fast-math flags must not change which results are finite, nor lose digits that NumPy keeps."""
    given = arguments(name, dtype, 3)
    unchanged = (
        "labels", "mask", "where", "xhat", "inv", "p", "target", "square", "v", "maps", "images", "gates",
        "tanh_c",
    )  # fmt: skip
    names = list(inspect.signature(FUNCTIONS[name].__wrapped__).parameters)
    for i, (parameter, a) in enumerate(zip(names, given, strict=True)):
        if isinstance(a, np.ndarray) and a.dtype == dtype and parameter not in unchanged:
            given[i] = (a / 3 * dtype(size)).astype(dtype)
    with np.errstate(all="ignore"):
        readable, twin = both(name, given)
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    for a, b in zip(readable, twin, strict=True):
        np.testing.assert_array_equal(np.isfinite(b), np.isfinite(a))
        finite = np.isfinite(a)
        largest = np.abs(a[finite]).max(initial=np.finfo(dtype).tiny)
        np.testing.assert_allclose(b[finite], a[finite], rtol=rtol, atol=rtol * largest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "optimisers" in name])
def test_optimiser_steps_keep_a_nan_or_infinite_gradient(name, dtype):
    given = arguments(name, dtype, 0)
    given[1][3], given[1][8] = np.nan, np.inf
    with np.errstate(all="ignore"):
        for found in both(name, given):
            assert np.flatnonzero(~np.isfinite(found[0])).tolist() == [3, 8]


@pytest.mark.parametrize("dtype", DTYPES)
def test_elu_near_zero_keeps_its_digits(dtype, backend):
    x = -np.logspace(-20, -1, 57).astype(dtype)
    exact = 0.7 * np.expm1(x.astype(np.float64))
    elu = FUNCTIONS["scratchgen.layers.activations.elu"]
    np.testing.assert_allclose(elu(x, 0.7), exact, rtol=4 * np.finfo(dtype).eps)


def test_softmax_of_attention_keeps_nan_of_the_past_and_ignores_the_future(backend):
    attention = FUNCTIONS["scratchgen.layers.attention.attention"]
    qkv = np.zeros((1, 3, 3))
    qkv[0, 1, 1] = np.nan       # the key of position 1
    _, p = attention(qkv, 1, True)
    assert p[0, 0, 0].tolist() == [1, 0, 0]
    assert np.isnan(p[0, 0, 1, :2]).all() and np.isnan(p[0, 0, 2]).all()


def test_softmax_of_cross_attention_keeps_nan_and_ignores_the_padding(backend):
    cross_attention = FUNCTIONS["scratchgen.layers.cross_attention.cross_attention"]
    q, k = np.ones((2, 1, 1, 1)), np.zeros((2, 1, 3, 1))
    k[:, 0, 2] = np.nan
    within = np.array([[True, True, False], [True, True, True]])
    _, p = cross_attention(q, k, k, within[:, None, None])
    assert p[0, 0, 0].tolist() == [0.5, 0.5, 0] and np.isnan(p[1]).all()
    within = np.array([[False, True, False]] * 2)       # a mask that is not that of lengths
    _, p = cross_attention(q, k, k, within[:, None, None])
    assert p[0, 0, 0].tolist() == p[1, 0, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_pixels_are_the_same_in_both(dtype):
    """The sampled pixels are equal, because uniform numbers are rarely within rounding of the threshold."""
    name = "scratchgen.models.autoregressive.made_sampling.fill_pixels"
    for seed in range(5):
        given = arguments(name, dtype, seed)
        readable, twin = both(name, given)
        np.testing.assert_array_equal(readable[0], twin[0])
        assert (readable[0][:, :2] == given[0][:, :2]).all() and (readable[0][:, 2:] != given[0][:, 2:]).any()
