"""Mistakes in linear layers, activations, normalisation, dropout, masks and coupling layers."""

import numpy as np
from helpers.mistakes import Mistake, Written, elementwise, sigmoid

from scratchgen.layers import BatchNorm, Dropout


def affine(self, x, training):
    return x @ self.weight.value + self.bias.value, x


def linear(outputs=3, features=5, shape=(7, 5), **wrong):
    """A linear layer; `wrong` has other lines for the gradients of weight, bias and x."""

    def backward(self, dout, x):
        flat, rows = dout.reshape(-1, outputs), x.reshape(-1, features)
        lines = {
            "weight": lambda: rows.T @ flat,
            "bias": lambda: flat.sum(axis=0),
            "dx": lambda: dout @ self.weight.value.T,
        }
        found = {name: wrong[name](self, dout, x) if name in wrong else f() for name, f in lines.items()}
        self.weight.grad += found["weight"]
        self.bias.grad += found["bias"]
        return found["dx"]

    def build(rng):
        weight, bias = rng.standard_normal((features, outputs)), rng.standard_normal(outputs)
        return Written(affine, backward, weight=weight, bias=bias), rng.standard_normal(shape)

    return build


def scales_dout(self, dout, x):
    dout /= len(x)
    self.weight.grad += x.T @ dout
    self.bias.grad += dout.sum(axis=0)
    return dout @ self.weight.value.T


def dout_changed(rng):
    arrays = {"weight": rng.standard_normal((5, 3)), "bias": rng.standard_normal(3)}
    return Written(affine, scales_dout, **arrays), rng.standard_normal((7, 5))


def tied(rng):
    """out = tanh(x·W)·W; each use of W assigns its gradient."""

    def forward(self, x, training):
        h = np.tanh(x @ self.weight.value)
        return h @ self.weight.value, (x, h)

    def backward(self, dout, cache):
        x, h = cache
        self.weight.grad[...] = h.T @ dout
        dh = (dout @ self.weight.value.T) * (1 - h**2)
        self.weight.grad[...] = x.T @ dh
        return dh @ self.weight.value.T

    return Written(forward, backward, weight=rng.standard_normal((5, 5))), rng.standard_normal((7, 5))


def residual(backward):
    def forward(self, x, training):
        h = np.tanh(x @ self.weight.value)
        return x + h, (x, h)

    def build(rng):
        return Written(forward, backward, weight=rng.standard_normal((5, 5))), rng.standard_normal((7, 5))

    return build


def without_skip(self, dout, cache):
    x, h = cache
    dh = dout * (1 - h**2)
    self.weight.grad += x.T @ dh
    return dh @ self.weight.value.T


def relu_in_place(rng):
    def forward(self, x, training):
        x[x < 0] = 0
        return x * 1.0, x

    return Written(forward, lambda self, dout, x: dout * (x > 0)), rng.standard_normal((7, 5))


def noisy(rng):
    def forward(self, x, training):
        noise = np.random.default_rng().standard_normal(x.shape)
        return x * noise, noise

    return Written(forward, lambda self, dout, noise: dout * noise), rng.standard_normal((7, 5))


def norm(axis, backward, ddof=0, scale=lambda dout, xhat, x: (dout * xhat).sum(axis=0)):
    """Normalisation over an axis, with a scale; `backward` gets dxhat, xhat, inv, the scale and n."""

    def forward(self, x, training):
        xc = x - x.mean(axis=axis, keepdims=True)
        inv = 1 / np.sqrt(x.var(axis=axis, keepdims=True, ddof=ddof) + 1e-5)
        xhat = xc * inv
        return xhat * self.weight.value, (x, xhat, inv)

    def back(self, dout, cache):
        x, xhat, inv = cache
        self.weight.grad += scale(dout, xhat, x)
        return backward(dout * self.weight.value, xhat, inv, self.weight.value, x)

    def build(rng):
        layer = Written(forward, back, weight=rng.uniform(0.5, 2, 5))
        return layer, rng.standard_normal((7, 5))

    return build


def full(d, xhat, inv, axis):
    """The right gradient of the normalisation."""
    return inv * (d - d.mean(axis=axis, keepdims=True) - xhat * (d * xhat).mean(axis=axis, keepdims=True))


class RunningInTraining(BatchNorm):
    """Backward in training uses the running statistics, as if forward had run in evaluation mode."""

    def backward(self, dout, cache, input_grad=True):
        return dout * self.weight.value / np.sqrt(self.running_var + self.eps)


def batch_norm(cls):
    def build(rng):
        layer = cls(5, dtype=np.float64)
        layer.running_var[...] = rng.uniform(0.5, 2, 5)
        layer.weight.value[...] = rng.uniform(0.5, 2, 5)
        return layer, rng.standard_normal((7, 5))

    return build


def training_formula_in_evaluation(rng):
    def forward(self, x, training):
        return x * self.inv, None

    def backward(self, dout, cache):
        return self.inv * (dout - dout.mean(axis=0))

    return Written(forward, backward, inv=1.7), rng.standard_normal((7, 5))


class IgnoresMask(Dropout):
    def backward(self, dout, cache, input_grad=True):
        return dout


def dropout(backward):
    def forward(self, x, training):
        keep = self.rng.random(x.shape) >= self.rate
        return x * keep / (1 - self.rate), keep

    def build(rng):
        layer = Written(forward, backward, rate=0.4, rng=np.random.default_rng(3))
        return layer, rng.standard_normal((7, 5))

    return build


def masked_linear(shape, **wrong):
    """out = x·(W∘M); `wrong` has other lines for the gradients."""

    def forward(self, x, training):
        return x @ (self.weight.value * self.mask), x

    def backward(self, dout, x):
        w, m = self.weight.value, self.mask
        self.weight.grad += wrong["weight"](x, dout, m) if "weight" in wrong else (x.T @ dout) * m
        return wrong["dx"](dout, w, m) if "dx" in wrong else dout @ (w * m).T

    def build(rng):
        mask = np.tri(*shape, k=-1, dtype=int)
        layer = Written(forward, backward, weight=rng.standard_normal(shape), mask=mask)
        return layer, rng.standard_normal((7, 5))

    return build


def coupling(backward, affine=False):
    """out = (a, b·exp(s) + t) with a, b the halves of x, t = tanh(a·W) and s = ½·t or 0."""

    def forward(self, x, training):
        a, b = x[:, :3], x[:, 3:]
        t = np.tanh(a @ self.weight.value)
        s = 0.5 * t if affine else 0 * t
        return np.concatenate([a, b * np.exp(s) + t], axis=1), (a, b, t, s)

    def build(rng):
        return Written(forward, backward, weight=rng.standard_normal((3, 3))), rng.standard_normal((7, 6))

    return build


def forgets_conditioner(self, dout, cache):
    return dout.copy()


def forgets_scale_path(self, dout, cache):
    a, b, t, s = cache
    dt = dout[:, 3:] * (1 - t**2)
    self.weight.grad += a.T @ dt
    return np.concatenate([dout[:, :3] + dt @ self.weight.value.T, dout[:, 3:] * np.exp(s)], axis=1)


def inverse_scale(self, dout, cache):
    a, b, t, s = cache
    dt = (dout[:, 3:] + 0.5 * dout[:, 3:] * b * np.exp(s)) * (1 - t**2)
    self.weight.grad += a.T @ dt
    return np.concatenate([dout[:, :3] + dt @ self.weight.value.T, dout[:, 3:] * np.exp(-s)], axis=1)


def softplus(x):
    return np.log1p(np.exp(x))


def silu(x):
    return x * sigmoid(x)


def elu(x):
    return np.where(x > 0, x, 0.7 * (np.exp(x) - 1))


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


MISTAKES = [
    Mistake("dW is divided by N", "linear", linear(weight=lambda s, d, x: x.T @ d / len(x)),
            "weight", "factor", "divided by the batch size N (7)"),
    Mistake("db is a mean over the batch", "linear", linear(bias=lambda s, d, x: d.mean(axis=0)),
            "bias", "factor", "divided by the batch size N (7)"),
    Mistake("db takes the first example", "linear", linear(bias=lambda s, d, x: d[0]),
            "bias", "missing sum", "example 0 alone"),
    Mistake("db takes the last position", "linear",
            linear(shape=(2, 4, 5), bias=lambda s, d, x: d.sum(axis=0)[-1]),
            "bias", "missing sum", "position 3 alone"),
    Mistake("db is a mean over positions", "linear",
            linear(shape=(2, 6, 5), bias=lambda s, d, x: d.mean(axis=1).sum(axis=0)),
            "bias", "factor", "the number of positions (6)"),
    Mistake("dx = dout·W", "linear", linear(outputs=5, dx=lambda s, d, x: d @ s.weight.value),
            "input", "transposed", "dx = dout·Wᵀ"),
    Mistake("dW = doutᵀ·x", "linear", linear(outputs=5, weight=lambda s, d, x: d.T @ x),
            "weight", "transposed"),
    Mistake("dW = outᵀ·dout", "linear",
            linear(outputs=5, weight=lambda s, d, x: (x @ s.weight.value + s.bias.value).T @ d),
            "weight", "other operand", "outᵀ·dout"),
    Mistake("dx has the wrong sign", "linear", linear(dx=lambda s, d, x: -d @ s.weight.value.T),
            "input", "sign"),
    Mistake("db is never added", "linear", linear(bias=lambda s, d, x: 0), "bias", "zero", "bias.grad"),
    Mistake("dx is None", "linear", linear(dx=lambda s, d, x: None), "input", "None"),
    Mistake("dx has one row", "linear", linear(dx=lambda s, d, x: (d @ s.weight.value.T)[:1]),
            "input", "shape", "(1, 5)"),
    Mistake("dW has the gradient of a penalty that forward lacks", "linear",
            linear(weight=lambda s, d, x: x.T @ d + 0.02 * s.weight.value),
            "weight", "constant term", "0.02 times weight"),
    Mistake("db leaves out the last example", "linear", linear(bias=lambda s, d, x: d[:-1].sum(axis=0)),
            "bias", "missing sum", "example 6 is missing"),
    Mistake("dW has the wrong sign and is divided by N", "linear",
            linear(weight=lambda s, d, x: -x.T @ d / len(x)), "weight", "factor", "−1/7 of"),
    Mistake("dx of the last example is 0", "linear",
            linear(dx=lambda s, d, x: d @ s.weight.value.T * (np.arange(7) < 6)[:, None]),
            "input", "zero", "input[6, :]"),
    Mistake("dx after the weight was changed", "linear",
            linear(dx=lambda s, d, x: d @ (s.weight.value - 0.1 * x.T @ d).T),
            "input", "not linear"),
    Mistake("dout is divided by N in place", "linear", dout_changed, "bias", "dout changed"),
    Mistake("a weight that is used twice is assigned its gradient", "linear", tied,
            "weight", "overwritten", "+="),
    Mistake("the skip connection has no gradient", "linear", residual(without_skip),
            "input", "skip connection"),
    Mistake("sigmoid: x·(1 − x)", "activation", elementwise(sigmoid, lambda x, out: x * (1 - x)),
            "input", "slope"),
    Mistake("tanh: 1 − out", "activation", elementwise(np.tanh, lambda x, out: 1 - out), "input", "slope"),
    Mistake("SiLU: σ(x) alone", "activation", elementwise(silu, lambda x, out: sigmoid(x)), "input", "slope"),
    Mistake("ELU: out without + α", "activation",
            elementwise(elu, lambda x, out: np.where(x > 0, 1, out)), "input", "slope"),
    Mistake("leaky ReLU: slope 0 for x < 0", "activation",
            elementwise(leaky, lambda x, out: x > 0), "input", "slope"),
    Mistake("softplus: exp(x) for σ(x)", "activation",
            elementwise(softplus, lambda x, out: np.exp(x)), "input", "array factor", "exp(out)"),
    Mistake("x²: 3·x", "activation", elementwise(np.square, lambda x, out: 3 * x),
            "input", "factor", "1.5 = 3/2 times what it should be."),
    Mistake("x³: 3·x", "activation", elementwise(lambda x: x**3, lambda x, out: 3 * x),
            "input", "array factor", "1/x"),
    Mistake("exp: σ by division by zero", "activation",
            elementwise(np.exp, lambda x, out: np.where(x > 1, np.nan, out)), "input", "not finite", "nan"),
    Mistake("ReLU: the mask of dout", "activation",
            lambda rng: (
                Written(lambda s, x, t: (np.maximum(x, 0), x), lambda s, d, x: d * (d > 0) * (x != 9)),
                rng.standard_normal((7, 5)),
            ), "input", "not linear", "compared"),
    Mistake("dout is clipped", "activation",
            lambda rng: (
                Written(lambda s, x, t: (np.sin(x), x), lambda s, d, x: np.clip(d, -1, 1) * np.cos(x)),
                rng.standard_normal((7, 5)),
            ), "input", "not linear", "clipped"),
    Mistake("sigmoid: out", "activation", elementwise(sigmoid, lambda x, out: out), "input", "slope"),
    Mistake("ReLU changes x in place", "activation", relu_in_place, "input", "x changed"),
    Mistake("noise of a new generator", "activation", noisy, "input", "random forward"),
    Mistake("batch norm: no gradient of the mean", "batch norm",
            norm(0, lambda d, h, inv, w, x: inv * (d - h * (d * h).mean(axis=0))),
            "input", "summed term", "axis 0 (the batch)"),
    Mistake("batch norm: no gradient of the variance", "batch norm",
            norm(0, lambda d, h, inv, w, x: inv * (d - d.mean(axis=0))),
            "input", "summed term", "axis 0 (the batch)"),
    Mistake("batch norm: statistics as constants", "batch norm",
            norm(0, lambda d, h, inv, w, x: inv * d), "input", "missing connection", "other examples"),
    Mistake("batch norm: N for N − 1", "batch norm",
            norm(0, lambda d, h, inv, w, x: full(d, h, inv, 0), ddof=1),
            "input", "summed term", "axis 0 (the batch)"),
    Mistake("batch norm: the scale is forgotten in dx", "batch norm",
            norm(0, lambda d, h, inv, w, x: full(d / w, h, inv, 0)), "input", "array factor", "1/weight"),
    Mistake("batch norm: 1/std is forgotten", "batch norm",
            norm(0, lambda d, h, inv, w, x: full(d, h, inv, 0) / inv),
            "input", "array factor", "1/cache[2]"),
    Mistake("batch norm: dscale from x", "batch norm",
            norm(0, lambda d, h, inv, w, x: full(d, h, inv, 0), scale=lambda d, h, x: (d * x).sum(axis=0)),
            "weight", "other operand", "dout·x:"),
    Mistake("batch norm: running statistics in training", "batch norm",
            batch_norm(RunningInTraining), "input", "mode", "training=False", training=True),
    Mistake("batch norm: 1/N twice in the gradient of the variance", "batch norm",
            norm(0, lambda d, h, inv, w, x: inv * (d - d.mean(axis=0) - h * (d * h).mean(axis=0) / len(x))),
            "input", "summed term", "axis 0 (the batch)"),
    Mistake("batch norm: the training formula in evaluation", "batch norm",
            training_formula_in_evaluation, "input", "extra connection", "different examples"),
    Mistake("layer norm: means over the batch", "layer norm",
            norm(1, lambda d, h, inv, w, x: full(d, h, inv, 0)), "input", "wrong axis"),
    Mistake("layer norm: no gradient of the variance", "layer norm",
            norm(1, lambda d, h, inv, w, x: inv * (d - d.mean(axis=1, keepdims=True))),
            "input", "summed term", "axis 1 (the features)"),
    Mistake("dropout: no mask in backward", "dropout",
            lambda rng: (IgnoresMask(0.4, rng=rng), rng.standard_normal((7, 5))),
            "input", "mode", "training=False", training=True),
    Mistake("dropout: a new mask in backward", "dropout",
            dropout(lambda self, d, keep: d * (np.random.default_rng(8).random(d.shape) > 0.4) / 0.6),
            "input", "mask", training=True),
    Mistake("dropout: no 1/(1 − rate)", "dropout", dropout(lambda self, d, keep: d * keep),
            "input", "factor", "1 − rate (0.6)", training=True),
    Mistake("dropout: 1/(1 − rate) twice", "dropout",
            dropout(lambda self, d, keep: d * keep / (1 - self.rate) ** 2),
            "input", "factor", "divided by 1 − rate (0.6) once too often", training=True),
    Mistake("dropout: a mask of new random numbers in each call", "dropout",
            dropout(lambda self, d, keep: d * (np.random.default_rng().random(d.shape) > 0.4) / 0.6),
            "input", "random backward", training=True),
    Mistake("the gradient of a masked weight is not masked", "mask",
            masked_linear((5, 4), weight=lambda x, d, m: x.T @ d), "weight", "mask"),
    Mistake("the mask is transposed", "mask",
            masked_linear((5, 5), weight=lambda x, d, m: (x.T @ d) * m.T), "weight", "mask"),
    Mistake("dx without the mask", "mask",
            masked_linear((5, 5), dx=lambda d, w, m: d @ w.T), "input", "extra connection"),
    Mistake("additive coupling: dx without the conditioner", "coupling",
            coupling(forgets_conditioner), "input", "missing connection", "other features"),
    Mistake("affine coupling: no gradient through the scale", "coupling",
            coupling(forgets_scale_path, affine=True), "input", "some entries", "input[:, :3]"),
    Mistake("affine coupling: exp(−s)", "coupling",
            coupling(inverse_scale, affine=True), "input", "some entries", "input[:, 3:]"),
]  # fmt: skip
