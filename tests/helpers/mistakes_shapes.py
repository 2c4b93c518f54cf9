"""Mistakes in convolution, pooling, attention, recurrent layers, embeddings and reshaping."""

import numpy as np
from helpers.mistakes import Mistake, Written, softmax

IMAGES = (2, 5, 4, 2)       # (N, H, W, C)


def windows(x, k=3):
    """Every k×k window of the images: the slices, from the first row of windows to the last."""
    _, height, width, _ = x.shape
    for i in range(height - k + 1):
        for j in range(width - k + 1):
            yield i, j, (slice(None), slice(i, i + k), slice(j, j + k))


def conv(**wrong):
    """A 3×3 convolution without bias; `wrong` changes the kernel's gradient, the kernel of dx, or its sum."""

    def forward(self, x, training):
        w = self.weight.value
        out = np.zeros((len(x), x.shape[1] - 2, x.shape[2] - 2, w.shape[3]))
        for i, j, window in windows(x):
            out[:, i, j] = np.tensordot(x[window], w, 3)
        return out + self.bias.value, x

    def backward(self, dout, x):
        dw, dx, w = np.zeros(self.weight.shape), np.zeros_like(x), self.weight.value
        w = wrong["kernel"](w) if "kernel" in wrong else w
        for i, j, window in windows(x):
            dw += np.tensordot(x[window], dout[:, i, j], (0, 0))
            part = np.tensordot(dout[:, i, j], w, (1, 3))
            dx[window] = part if "assigned" in wrong else dx[window] + part
        self.weight.grad += wrong["dw"](dw) if "dw" in wrong else dw
        self.bias.grad += wrong["bias"](dout) if "bias" in wrong else dout.sum(axis=(0, 1, 2))
        return dx

    def build(rng):
        arrays = {"weight": rng.standard_normal((3, 3, 2, 3)), "bias": rng.standard_normal(3)}
        return Written(forward, backward, **arrays), rng.standard_normal(IMAGES)

    return build


def pool(backward, reduce):
    """Pooling of 2×2 windows. The windows are the last axis: (N, H/2, W/2, C, 4)."""

    def split(x):
        n, h, w, c = x.shape
        parts = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
        return parts.reshape(n, h // 2, w // 2, c, 4)

    def joined(d, shape):
        n, h, w, c = shape
        return d.reshape(n, h // 2, w // 2, c, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(shape)

    def forward(self, x, training):
        return reduce(split(x), axis=-1), x

    def back(self, dout, x):
        return joined(backward(dout[..., None], split(x)), x.shape)

    return lambda rng: (Written(forward, back, window=2), rng.standard_normal((2, 4, 4, 3)))


def first_of_window(d, parts):
    return d * (np.arange(4) == 0)


def global_average(rng):
    def forward(self, x, training):
        return x.mean(axis=(1, 2)), x.shape

    def backward(self, dout, shape):
        return np.broadcast_to(dout[:, None, None], shape).copy()

    return Written(forward, backward), rng.standard_normal((2, 5, 3, 4))


def attention(backward):
    """Attention with x as the queries; the keys and values are parameters."""

    def forward(self, x, training):
        keys, values = self.keys.value, self.values.value
        p = softmax(x @ keys.T / np.sqrt(self.width))
        return p @ values, (x, p)

    def back(self, dout, cache):
        x, p = cache
        self.values.grad += np.tensordot(p, dout, ((0, 1), (0, 1)))
        dp = dout @ self.values.value.T
        return backward(self, dp, p, x)

    def build(rng):
        keys, values = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
        return Written(forward, back, keys=keys, values=values, width=6), rng.standard_normal((3, 5, 6))

    return build


def scores_gradient(dp, p):
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def unscaled(self, dp, p, x):
    ds = scores_gradient(dp, p)
    self.keys.grad += np.tensordot(ds, x, ((0, 1), (0, 1))) / np.sqrt(self.width)
    return ds @ self.keys.value


def diagonal_softmax(self, dp, p, x):
    return p * dp @ self.keys.value / np.sqrt(self.width)


def causal_mean(rng):
    """Each position is a weighted mean of those before it; backward uses the weights without the mask."""
    weights, mask = rng.uniform(0.5, 1, (5, 5)), np.tri(5, dtype=int)

    def forward(self, x, training):
        return np.einsum("ts,nsf->ntf", self.weights.value * self.mask, x), x

    def backward(self, dout, x):
        self.weights.grad += np.einsum("ntf,nsf->ts", dout, x) * self.mask
        return np.einsum("ts,ntf->nsf", self.weights.value, dout)

    return Written(forward, backward, weights=weights, mask=mask), rng.standard_normal((2, 5, 3))


def softmax_layer(backward):
    def build(rng):
        layer = Written(lambda s, x, t: (softmax(x), softmax(x)), lambda s, d, p: backward(d, p))
        return layer, rng.standard_normal((7, 5))

    return build


def product(rng):
    """out = (x·A)∘(x·B), like queries and keys of one input; one of the two gradients of x is lost."""

    def forward(self, x, training):
        return (x @ self.A.value) * (x @ self.B.value), x

    def backward(self, dout, x):
        a, b = x @ self.A.value, x @ self.B.value
        self.A.grad += x.T @ (dout * b)
        self.B.grad += x.T @ (dout * a)
        return (dout * a) @ self.B.value.T

    arrays = {"A": rng.standard_normal((5, 3)), "B": rng.standard_normal((5, 3))}
    return Written(forward, backward, **arrays), rng.standard_normal((7, 5))


def recurrent(rng):
    """h_t = tanh(x_t + h_{t−1}·U); backward forgets what h_t gives to h_{t+1}."""

    def forward(self, x, training):
        h, states = np.zeros((len(x), x.shape[2])), []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] + h @ self.U.value)
            states.append(h)
        return np.stack(states, axis=1), np.stack(states, axis=1)

    def backward(self, dout, states):
        dx = dout * (1 - states**2)
        self.U.grad += np.einsum("ntf,ntg->fg", states[:, :-1], dx[:, 1:])
        return dx

    return Written(forward, backward, U=rng.standard_normal((3, 3))), rng.standard_normal((2, 4, 3))


def gates(rng):
    """Four gates with a bias each; the bias of the second is added to that of the first."""

    def forward(self, x, training):
        return np.tanh(x + self.bias.value), x

    def backward(self, dout, x):
        d = dout * (1 - np.tanh(x + self.bias.value) ** 2)
        db = d.sum(axis=0)
        db[:3] += db[3:6]
        self.bias.grad += db
        return d

    return Written(forward, backward, bias=rng.standard_normal(12)), rng.standard_normal((7, 12))


def embedding(rng):
    """A sum of x and rows of a table; some rows are used several times."""
    ids = np.array([0, 2, 2, 1, 0, 2, 3])

    def forward(self, x, training):
        return x + self.table.value[self.ids], None

    def backward(self, dout, cache):
        self.table.grad[self.ids] += dout
        return dout

    return Written(forward, backward, table=rng.standard_normal((4, 5)), ids=ids), rng.standard_normal((7, 5))


def upsample(rng):
    def forward(self, x, training):
        return x.repeat(2, axis=1).repeat(2, axis=2), None

    return Written(forward, lambda s, d, c: d[:, ::2, ::2]), rng.standard_normal((2, 3, 2, 3))


def reshape(rng):
    """Channels first, as (N, C·H·W); backward forgets to move the channels back."""

    def forward(self, x, training):
        return x.transpose(0, 3, 1, 2).reshape(len(x), -1), x.shape

    return Written(forward, lambda s, d, shape: d.reshape(shape)), rng.standard_normal((2, 3, 4, 2))


MISTAKES = [
    Mistake("the kernel's gradient is reversed", "convolution", conv(dw=lambda dw: dw[::-1, ::-1]),
            "weight", "flipped"),
    Mistake("dx with the kernel reversed", "convolution", conv(kernel=lambda w: w[::-1, ::-1]),
            "input", "flipped", "kernel"),
    Mistake("overlapping windows are assigned", "convolution", conv(assigned=True), "input", "missing sum"),
    Mistake("db is a mean over positions", "convolution",
            conv(bias=lambda d: d.mean(axis=(1, 2)).sum(axis=0)),
            "bias", "factor", "the number of output positions (6)"),
    Mistake("db takes one position", "convolution", conv(bias=lambda d: d[:, 0, 0].sum(axis=0)),
            "bias", "missing sum", "position 0 alone"),
    Mistake("average pooling: no division by the window", "pooling",
            pool(lambda d, parts: d * np.ones(4), np.mean), "input", "factor", "the square of window (4)"),
    Mistake("max pooling: the first of each window", "pooling",
            pool(first_of_window, np.max), "input", "mask"),
    Mistake("max pooling: the smallest of each window", "pooling",
            pool(lambda d, p: d * (p == p.min(axis=-1, keepdims=True)), np.max), "input", "mask"),
    Mistake("global average: no division", "pooling", global_average,
            "input", "factor", "the number of positions (15)"),
    Mistake("attention: no 1/√d in backward", "attention", attention(unscaled),
            "input", "factor", "the square root of width (2.44949)"),
    Mistake("log-softmax: dout − p", "attention",
            lambda rng: (
                Written(lambda s, x, t: (np.log(softmax(x)), softmax(x)), lambda s, d, p: d - p),
                rng.standard_normal((7, 5)),
            ), "input", "not linear", "added"),
    Mistake("attention: diagonal of the softmax", "attention", attention(diagonal_softmax), "input", ""),
    Mistake("causal mask missing in backward", "attention", causal_mean, "input", "extra connection"),
    Mistake("softmax: the diagonal alone", "attention", softmax_layer(lambda d, p: p * (1 - p) * d),
            "input", "missing connection", "other features"),
    Mistake("softmax: no sum", "attention", softmax_layer(lambda d, p: p * d),
            "input", "missing connection", "other features"),
    Mistake("softmax: the sum over the batch", "attention",
            softmax_layer(lambda d, p: p * (d - (d * p).sum(axis=0))), "input", "wrong axis"),
    Mistake("one of two uses of x overwrites the other", "attention", product, "input", ""),
    Mistake("the carry between time steps is lost", "recurrent", recurrent,
            "input", "missing connection", "other positions"),
    Mistake("the bias of one gate gets that of another", "recurrent", gates,
            "bias", "some entries", "bias[:3]"),
    Mistake("grad[ids] += dout with repeated ids", "embedding", embedding,
            "table", "missing sum", "np.add.at"),
    Mistake("upsampling: one of four copies", "reshaping", upsample, "input", "missing sum"),
    Mistake("reshape without moving the axes", "reshaping", reshape, "input", "transposed"),
]  # fmt: skip
