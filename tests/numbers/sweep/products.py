"""Sums of products: affine maps, masked maps, convolutions, pooling and attention.

The truth is computed by the definition, in loops. The error of a sum is compared with the sum of the absolute
values of its terms, because terms that cancel lose digits in every order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from scratchgen.kernels.blocks import column_blocks
from scratchgen.layers import (
    arrays,
    attention,
    conv,
    cross_attention,
    linear,
    masked,
    pooling,
    recurrent,
    upsample,
)
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, exact, exp, number

KERNEL, STRIDE, PADDING = (2, 3), (2, 1), (1, 0)
SIZE = (3, 4)
OUT = (2, 2)  # the size of the output for SIZE with these windows
MASK = np.tril(np.ones((4, 5), bool), k=1)
BLOCKS = column_blocks(MASK)


def drawn(*shapes: tuple[int, ...], settings: tuple = ()) -> Callable[..., list[tuple]]:
    """Arrays of these shapes: first with the same pattern, and then with patterns of different sizes."""

    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        root = float(np.finfo(dtype).max) ** 0.5 / 8
        columns = [patterns(dtype, shape, rng, root) for shape in shapes]
        large = [patterns(dtype, shape, rng) for shape in shapes]
        small = [np.full(shape, 0.25, dtype) for shape in shapes]
        found = list(zip(*columns, strict=True))
        found += [(large[0][i], *small[1:]) for i in range(len(large[0]))]
        found += [(*small[:-1], large[-1][i]) for i in range(len(large[0]))] if len(shapes) > 1 else []
        return [(*given, *settings) for given in found]

    return cases


def linear_truth(function: Callable[..., Any]) -> Callable[..., True_]:
    """The truth of a function that is linear in each array. Its size is the same sum of absolute values."""

    def truth(*given: Any) -> True_:
        arrays = [exact(a) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in given]
        sizes = [absolute(a) if isinstance(a, np.ndarray) and a.dtype == object else a for a in arrays]
        terms = 16 * number(float(np.finfo(given[0].dtype).tiny))  # each product may be rounded below tiny
        return True_(function(*arrays), function(*sizes) + terms)

    return truth


def windows(size: tuple, kernel: tuple, stride: tuple, padding: tuple) -> Iterator[tuple]:
    """(i, j, u, v, h, w): the cell (u, v) of the window at (i, j) is the pixel (h, w) of the image."""
    places = [(s + 2 * p - k) // t + 1 for s, k, t, p in zip(size, kernel, stride, padding, strict=True)]
    for i, j, u, v in np.ndindex(*places, *kernel):
        h, w = i * stride[0] - padding[0] + u, j * stride[1] - padding[1] + v
        if 0 <= h < size[0] and 0 <= w < size[1]:
            yield i, j, u, v, h, w


def zeros(*shape: int) -> Any:
    return exact(np.zeros(shape))


def im2col(x: Any, kernel: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(x), *OUT, *kernel, x.shape[3])
    for i, j, u, v, h, w in windows(x.shape[1:3], kernel, stride, padding):
        out[:, i, j, u, v] = x[:, h, w]
    return out


def col2im(cols: Any, size: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(cols), *size, cols.shape[5])
    for i, j, u, v, h, w in windows(size, cols.shape[3:5], stride, padding):
        out[:, h, w] += cols[:, i, j, u, v]
    return out


def conv2d(x: Any, weight: Any, bias: Any, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(x), *OUT, weight.shape[3]) + bias
    for i, j, u, v, h, w in windows(x.shape[1:3], weight.shape[:2], stride, padding):
        out[:, i, j] += x[:, h, w] @ weight[u, v]
    return out


def conv2d_weight_grad(dout: Any, x: Any, kernel: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(*kernel, x.shape[3], dout.shape[3])
    for i, j, u, v, h, w in windows(x.shape[1:3], kernel, stride, padding):
        out[u, v] += x[:, h, w].T @ dout[:, i, j]
    return out


def conv2d_input_grad(dout: Any, weight: Any, size: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(dout), *size, weight.shape[2])
    for i, j, u, v, h, w in windows(size, weight.shape[:2], stride, padding):
        out[:, h, w] += dout[:, i, j] @ weight[u, v].T
    return out


def conv_transpose2d(x: Any, weight: Any, bias: Any, size: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(x), *size, weight.shape[3]) + bias
    for i, j, u, v, h, w in windows(size, weight.shape[:2], stride, padding):
        out[:, h, w] += x[:, i, j] @ weight[u, v]
    return out


def conv_transpose2d_weight_grad(dout: Any, x: Any, kernel: tuple, stride: tuple, padding: tuple) -> Any:
    out = zeros(*kernel, x.shape[3], dout.shape[3])
    for i, j, u, v, h, w in windows(dout.shape[1:3], kernel, stride, padding):
        out[u, v] += x[:, i, j].T @ dout[:, h, w]
    return out


def conv_transpose2d_input_grad(dout: Any, weight: Any, stride: tuple, padding: tuple) -> Any:
    out = zeros(len(dout), *OUT, weight.shape[2])
    for i, j, u, v, h, w in windows(dout.shape[1:3], weight.shape[:2], stride, padding):
        out[:, i, j] += dout[:, h, w] @ weight[u, v].T
    return out


def max_pool(x: Any, kernel: tuple, stride: tuple, padding: tuple) -> tuple:
    """The maxima, and the first pixel with this value."""
    shape = (len(x), *OUT, x.shape[3])
    out, where = np.full(shape, None, object), np.zeros(shape, object)
    for i, j, _, _, h, w in windows(x.shape[1:3], kernel, stride, padding):
        for n, c in np.ndindex(len(x), x.shape[3]):
            if out[n, i, j, c] is None or x[n, h, w, c] > out[n, i, j, c]:
                out[n, i, j, c], where[n, i, j, c] = number(float(x[n, h, w, c])), number(h * x.shape[2] + w)
    return out, where


def with_infinities(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """Images for max pooling, among them images of −∞ and +∞."""
    given = drawn((2, *SIZE, 2), settings=(KERNEL, STRIDE, PADDING))(dtype, rng)
    mixed = np.where(rng.random((2, *SIZE, 2)) < 0.6, -np.inf, rng.standard_normal((2, *SIZE, 2)))
    images = [np.full((2, *SIZE, 2), -np.inf), np.full((2, *SIZE, 2), np.inf), mixed]
    return given + [(x.astype(dtype), KERNEL, STRIDE, PADDING) for x in images]


def places(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, SIZE[0] * SIZE[1], shape).astype(np.int32)


def max_pool_backward(dout: Any, where: Any, size: tuple) -> Any:
    out = zeros(len(dout), size[0] * size[1], dout.shape[3])
    for n, i, j, c in np.ndindex(dout.shape):
        out[n, where[n, i, j, c], c] += dout[n, i, j, c]
    return out.reshape(len(dout), *size, dout.shape[3])


def avg_pool(x: Any, kernel: tuple, stride: tuple, padding: tuple) -> Any:
    return im2col(x, kernel, stride, padding).sum(axis=(3, 4)) / (kernel[0] * kernel[1])


def avg_pool_backward(dout: Any, size: tuple, kernel: tuple, stride: tuple, padding: tuple) -> Any:
    share = dout[:, :, :, None, None] / (kernel[0] * kernel[1])
    cols = np.broadcast_to(share, (*dout.shape[:3], *kernel, dout.shape[3]))
    return col2im(cols, size, stride, padding)


def softmax_of_scores(q: Any, k: Any, scale: Any, causal: bool) -> tuple[Any, Any]:
    """The weights of each position on the earlier ones, (T, T), and the sizes of their errors.

    A relative error of eps in a score s is an absolute error of eps·|s|, which is a relative error of the
    weight. If it is above 1, a weight has no digits, and only its range and its sum are checked.
    """
    t = len(q)
    p, size = zeros(t, t), zeros(t, t)
    for i in range(t):
        seen = i + 1 if causal else t
        scores = [scale * (q[i] @ k[j]) for j in range(seen)]
        rough = scale * max(absolute(q[i]) @ absolute(k[j]) for j in range(seen))
        e = exp(np.array([s - max(scores) for s in scores], object))
        p[i, :seen] = e / e.sum()
        for j in range(seen):
            apart = max(scores) - scores[j]
            size[i, j] = p[i, j] * (1 + apart) + number(10) ** -37
            size[i, j] = number(10) ** 20 if rough * 1e-17 > 1e-9 else size[i, j] + p[i, j] * rough
    return p, size


def attended(qkv: Any, heads: int, causal: bool) -> tuple[True_, True_]:
    n, t, width = qkv.shape
    d = width // 3 // heads
    y, y_size, p, p_size = (
        zeros(n, t, heads * d),
        zeros(n, t, heads * d),
        zeros(n, heads, t, t),
        zeros(n, heads, t, t),
    )
    scale = number(d) ** number(-0.5)
    e = exact(qkv).reshape(n, t, 3, heads, d)
    rounding = float(np.finfo(qkv.dtype).eps)
    for m, h in np.ndindex(n, heads):
        q, k, v = (e[m, :, i, h] for i in range(3))
        p[m, h], p_size[m, h] = softmax_of_scores(q, k, scale, causal)
        rough = scale * max(absolute(a) @ absolute(b) for a in q for b in k)
        if rough * rounding > 0.01:  # the scores themselves have no digits left
            p_size[m, h] = number(1) / rounding
            p_size[m, h][np.triu_indices(t, 1)] *= not causal
        if rough > float(np.finfo(qkv.dtype).max):
            p_size[m, h] = number(10) ** 400
        columns = slice(h * d, (h + 1) * d)
        y[m, :, columns] = p[m, h] @ v
        y_size[m, :, columns] = (p[m, h] + p_size[m, h]) @ absolute(v)
    return True_(y, y_size), True_(p, p_size)


def attention_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """Without a mask for every third array, and with the mask for all."""
    cases = drawn((2, 3, 12), settings=(2,))(dtype, rng)
    return [(*given, True) for given in cases] + [(*given, False) for given in cases[::3]]


def attention_weights(dtype: Any, causal: bool) -> np.ndarray:
    p = np.random.default_rng(5).random((2, 2, 3, 3)) + 0.01
    p = np.tril(p) if causal else p
    return (p / p.sum(axis=3, keepdims=True)).astype(dtype)


def attention_backward_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    cube = float(np.finfo(dtype).max) ** (1 / 3) / 8
    columns = [patterns(dtype, shape, rng, cube) for shape in ((2, 3, 4), (2, 3, 12))]
    given = list(zip(*columns, strict=True))
    found = [(*arrays, attention_weights(dtype, True), True) for arrays in given]
    return found + [(*arrays, attention_weights(dtype, False), False) for arrays in given[::3]]


def attended_backward(dy: Any, qkv: Any, p: Any, causal: bool) -> True_:
    n, heads, t, _ = p.shape
    d = dy.shape[2] // heads
    scale = number(d) ** number(-0.5)
    out, size = zeros(n, t, 3, heads, d), zeros(n, t, 3, heads, d)
    e, g, weights = exact(qkv).reshape(n, t, 3, heads, d), exact(dy).reshape(n, t, heads, d), exact(p)
    for m, h in np.ndindex(n, heads):
        q, k, v = (e[m, :, i, h] for i in range(3))
        for into, a in ((out, lambda b: b), (size, absolute)):
            dp = a(g[m, :, h]) @ a(v).T
            mean = (weights[m, h] * dp).sum(axis=1, keepdims=True)
            ds = scale * weights[m, h] * ((dp - mean) if into is out else (dp + mean))
            into[m, :, 0, h], into[m, :, 1, h] = ds @ a(k), ds.T @ a(q)
            into[m, :, 2, h] = weights[m, h].T @ a(g[m, :, h])
    least = number(float(np.finfo(dy.dtype).tiny)) * (1 + absolute(exact(qkv)).max()) ** 2
    return True_(out.reshape(n, t, -1), size.reshape(n, t, -1) + 16 * least)


def split(qkv: Any) -> tuple[Any, Any, Any]:
    """q, k and v of attention to a sequence of the same length, with two heads."""
    return tuple(attention.split_heads(qkv, 2))


def joined(q: Any, k: Any, v: Any) -> Any:
    return attention.join_heads(np.stack([q, k, v]))


def cross_attention_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(*split(qkv), None) for qkv, _ in drawn((2, 3, 12), settings=(2,))(dtype, rng)]


def cross_attended(q: Any, k: Any, v: Any, within: Any) -> tuple[True_, True_]:
    return attended(joined(q, k, v), q.shape[1], False)


def cross_attention_backward_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    given = attention_backward_cases(dtype, rng)
    return [(dy, *split(qkv), p) for dy, qkv, p, causal in given if not causal]


def cross_attended_backward(dy: Any, q: Any, k: Any, v: Any, p: Any) -> tuple[True_, True_]:
    found = attended_backward(dy, joined(q, k, v), p, False)
    (dq, *dkv), (dq_size, *dkv_size) = (split(a) for a in found)
    return True_(dq, dq_size), True_(np.stack(dkv), np.stack(dkv_size))


def upsampled(x: Any, scale: int) -> Any:
    return x.repeat(scale, axis=1).repeat(scale, axis=2)


def upsampled_backward(dout: Any, scale: int) -> Any:
    n, height, width, channels = dout.shape
    cells = dout.reshape(n, height // scale, scale, width // scale, scale, channels)
    return cells.sum(axis=(2, 4))


def halves(joined: Any, width: int) -> tuple[True_, True_]:
    left, right = np.split(exact(joined), [width], axis=1)
    return True_(left, absolute(left)), True_(right, absolute(right))


def only_allowed(cases: Any) -> Any:
    """The same cases, with the mask applied to the weight."""
    return lambda dtype, rng: [(x, np.where(MASK, w, 0), *rest) for x, w, *rest in cases(dtype, rng)]


def entry(module: Any, name: str, cases: Any, truth: Any) -> Entry:
    path = module.__name__.removeprefix("scratchgen.")
    return Entry(f"{path}.{name}", getattr(module, name), cases, truth, twin=True)


IMAGES, PLACES, WEIGHT = (2, *SIZE, 2), (2, *OUT, 2), (*KERNEL, 2, 2)
STEP = (STRIDE, PADDING)

ENTRIES = [
    entry(linear, "affine", drawn((3, 4), (4, 2), (2,)), linear_truth(lambda x, w, b: x @ w + b)),
    entry(linear, "affine_bias_grad", drawn((2, 3, 2)), linear_truth(lambda d: d.sum(axis=(0, 1)))),
    entry(linear, "affine_input_grad", drawn((3, 2), (4, 2)), linear_truth(lambda d, w: d @ w.T)),
    entry(masked, "masked_weight", drawn((4, 5), settings=(MASK,)), linear_truth(lambda w, mask: w * mask)),
    entry(
        masked,
        "masked_affine",
        only_allowed(drawn((3, 4), (4, 5), (5,), settings=(BLOCKS,))),
        linear_truth(lambda x, w, b, blocks: x @ (w * MASK) + b),
    ),
    entry(
        masked,
        "masked_weight_grad",
        drawn((3, 5), (3, 4), settings=(MASK, BLOCKS)),
        linear_truth(lambda d, x, mask, blocks: (x.T @ d) * mask),
    ),
    entry(
        masked,
        "masked_input_grad",
        only_allowed(drawn((3, 5), (4, 5), settings=(BLOCKS,))),
        linear_truth(lambda d, w, blocks: d @ (w * MASK).T),
    ),
    entry(conv, "im2col", drawn(IMAGES, settings=(KERNEL, *STEP)), linear_truth(im2col)),
    entry(conv, "col2im", drawn((2, *OUT, *KERNEL, 2), settings=(SIZE, *STEP)), linear_truth(col2im)),
    entry(conv, "conv2d", drawn(IMAGES, WEIGHT, (2,), settings=STEP), linear_truth(conv2d)),
    entry(
        conv,
        "conv2d_weight_grad",
        drawn(PLACES, IMAGES, settings=(KERNEL, *STEP)),
        linear_truth(conv2d_weight_grad),
    ),
    entry(
        conv,
        "conv2d_input_grad",
        drawn(PLACES, WEIGHT, settings=(SIZE, *STEP)),
        linear_truth(conv2d_input_grad),
    ),
    entry(
        conv,
        "conv_transpose2d",
        drawn(PLACES, WEIGHT, (2,), settings=(SIZE, *STEP)),
        linear_truth(conv_transpose2d),
    ),
    entry(
        conv,
        "conv_transpose2d_weight_grad",
        drawn(IMAGES, PLACES, settings=(KERNEL, *STEP)),
        linear_truth(conv_transpose2d_weight_grad),
    ),
    entry(
        conv,
        "conv_transpose2d_input_grad",
        drawn(IMAGES, WEIGHT, settings=STEP),
        linear_truth(conv_transpose2d_input_grad),
    ),
    entry(pooling, "max_pool", with_infinities, max_pool),
    entry(
        pooling,
        "max_pool_backward",
        drawn(PLACES, settings=(places(*PLACES), SIZE)),
        linear_truth(max_pool_backward),
    ),
    entry(pooling, "avg_pool", drawn(IMAGES, settings=(KERNEL, *STEP)), linear_truth(avg_pool)),
    entry(
        pooling,
        "avg_pool_backward",
        drawn(PLACES, settings=(SIZE, KERNEL, *STEP)),
        linear_truth(avg_pool_backward),
    ),
    entry(upsample, "upsample", drawn(IMAGES, settings=(2,)), linear_truth(upsampled)),
    entry(
        upsample,
        "upsample_backward",
        drawn((2, 2, 4, 2), settings=(2,)),
        linear_truth(upsampled_backward),
    ),
    entry(arrays, "add", drawn((3, 4), (3, 4)), linear_truth(lambda a, b: a + b)),
    entry(
        arrays,
        "add_to_pixels",
        drawn(IMAGES, (2, 2)),
        linear_truth(lambda a, shift: a + shift[:, None, None]),
    ),
    entry(arrays, "sum_over_pixels", drawn(IMAGES), linear_truth(lambda a: a.sum(axis=(1, 2)))),
    entry(arrays, "join", drawn((3, 2), (3, 4)), linear_truth(lambda a, b: np.concatenate([a, b], axis=1))),
    entry(arrays, "split", drawn((3, 5), settings=(2,)), halves),
    entry(recurrent, "steps_first", drawn((2, 3, 4)), linear_truth(lambda x: x.swapaxes(0, 1))),
    entry(attention, "attention", attention_cases, attended),
    entry(attention, "attention_backward", attention_backward_cases, attended_backward),
    entry(cross_attention, "cross_attention", cross_attention_cases, cross_attended),
    entry(
        cross_attention,
        "cross_attention_backward",
        cross_attention_backward_cases,
        cross_attended_backward,
    ),
]
