"""Layers with one planted mistake each, and a few correct ones, for the tests of the gradient checker."""

import numpy as np

from scratchgen.layers import Layer, Linear, Parameter, ReLU, Sequential, Tanh

SHAPE = (7, 5)      # the input of all these layers


class Affine(Layer):
    """A correct layer. The planted mistakes below change it in one place each."""

    def __init__(self, rng):
        self.weight = Parameter(rng.standard_normal((5, 3)))
        self.bias = Parameter(rng.standard_normal(3))

    def forward(self, x, training=False):
        return x @ self.weight.value + self.bias.value, x

    def backward(self, dout, x, input_grad=True):
        if self.trainable:
            self.weight.grad += x.T @ dout
            self.bias.grad += dout.sum(axis=0)
        return dout @ self.weight.value.T if input_grad else None

    def jvp(self, dx, x):
        return dx @ self.weight.value


class WrongSign(Affine):
    def backward(self, dout, x, input_grad=True):
        return -super().backward(dout, x)


class MissingFactor(Affine):
    def forward(self, x, training=False):
        return 2 * super().forward(x)[0], x


class ForgottenBiasSum(Affine):
    def backward(self, dout, x, input_grad=True):
        self.weight.grad += x.T @ dout
        self.bias.grad += dout[0]
        return dout @ self.weight.value.T


class MeanForSum(Affine):
    def backward(self, dout, x, input_grad=True):
        self.weight.grad += x.T @ dout / len(x)
        self.bias.grad += dout.sum(axis=0)
        return dout @ self.weight.value.T


class SmallFactor(Affine):
    """All gradients are right, except for a factor 1 + 1e-4 in one entry of one array."""

    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x)
        dx[3, 2] *= 1 + 1e-4
        return dx


class SmallFactorInWeight(Affine):
    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x)
        self.weight.grad[4, 1] *= 1 + 1e-4
        return dx


class ZeroGradient(Affine):
    def backward(self, dout, x, input_grad=True):
        return np.zeros_like(x)


class NoInputGradient(Affine):
    def backward(self, dout, x, input_grad=True):
        return super().backward(dout, x, input_grad=False)


class WrongShape(Affine):
    def backward(self, dout, x, input_grad=True):
        return super().backward(dout, x)[:1]


class NotANumber(Affine):
    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x)
        dx[0, 0] = np.nan
        return dx


class Transposed(Layer):
    """The weight is square, so that the shapes fit without the transpose."""

    def __init__(self, rng):
        self.weight = Parameter(rng.standard_normal((5, 5)))

    def forward(self, x, training=False):
        return x @ self.weight.value, x

    def backward(self, dout, x, input_grad=True):
        self.weight.grad += x.T @ dout
        return dout @ self.weight.value


class Elementwise(Layer):
    def __init__(self, f, df):
        self.f, self.df = f, df

    def forward(self, x, training=False):
        return self.f(x), x

    def backward(self, dout, x, input_grad=True):
        return self.df(x) * dout


class ScaleByMean(Layer):
    """x / mean(x²), with a backward that treats the denominator as a constant."""

    def forward(self, x, training=False):
        return x / (x**2).mean(), x

    def backward(self, dout, x, input_grad=True):
        return dout / (x**2).mean()


class Softmax(Layer):
    def forward(self, x, training=False):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        out = e / e.sum(axis=1, keepdims=True)
        return out, out

    def backward(self, dout, out, input_grad=True):
        return out * (dout - (dout * out).sum(axis=1, keepdims=True))


class SoftmaxWithoutSubtraction(Softmax):
    def backward(self, dout, out, input_grad=True):
        return out * dout


class SoftmaxThatReturnsNothing(Softmax):
    """This is right for a dout of ones, because the outputs of a row always sum to 1."""

    def backward(self, dout, out, input_grad=True):
        return np.zeros_like(out)


class Standardise(Layer):
    """Batch norm without scale and shift; `drop` names the term that backward omits."""

    def __init__(self, drop=""):
        self.drop = drop

    def forward(self, x, training=False):
        xc = x - x.mean(axis=0)
        inv = 1 / np.sqrt((xc**2).mean(axis=0) + 1e-5)
        return xc * inv, (xc, inv)

    def backward(self, dout, cache, input_grad=True):
        xc, inv = cache
        dvar = -0.5 * (dout * xc).sum(axis=0) * inv**3
        dxc = dout * inv
        if self.drop != "variance":
            dxc = dxc + 2 / len(xc) * xc * dvar
        return dxc if self.drop == "mean" else dxc - dxc.mean(axis=0)


class Reparameterise(Layer):
    """z = mu + std·eps with std = exp(½·logvar), but backward uses exp(logvar) for std."""

    def forward(self, x, training=False):
        mu, logvar = np.split(x, 2, axis=1)
        eps = np.linspace(-2, 2, mu.size).reshape(mu.shape)
        return mu + np.exp(0.5 * logvar) * eps, (logvar, eps)

    def backward(self, dout, cache, input_grad=True):
        logvar, eps = cache
        return np.concatenate([dout, dout * eps * 0.5 * np.exp(logvar)], axis=1)


class WrongMask(ReLU):
    """A ReLU whose backward also passes 1e-4 of the gradient where the output is 0."""

    def backward(self, dout, out, input_grad=True):
        return super().backward(dout, out) + 1e-4 * dout


WRONG_DX = [
    WrongSign,
    MissingFactor,
    SmallFactor,
    ZeroGradient,
    NotANumber,
    Transposed,
    lambda rng: Elementwise(np.tanh, lambda x: 1 - np.tanh(x)),
    lambda rng: Elementwise(np.square, lambda x: x),
    lambda rng: ScaleByMean(),
    lambda rng: SoftmaxWithoutSubtraction(),
    lambda rng: SoftmaxThatReturnsNothing(),
    lambda rng: Standardise(drop="variance"),
    lambda rng: Standardise(drop="mean"),
    lambda rng: WrongMask(),
]

WRONG_GRADIENTS = [
    ForgottenBiasSum,
    MeanForSum,
    SmallFactorInWeight,
    NoInputGradient,
    WrongShape,
    *WRONG_DX,
]


def abs_layer(slope_at_zero):
    return Elementwise(np.abs, lambda x: np.where(x == 0, slope_at_zero, np.sign(x)))


def right_loss(pred, target):
    return float(((pred - target) ** 4).sum()) / len(pred), 4 * (pred - target) ** 3 / len(pred)


class Regression(Layer):
    """A model of two layers with a loss; `wrong` is the relative error of one entry of one gradient."""

    def __init__(self, rng, wrong=0.0):
        self.net = Sequential(
            Linear(5, 6, rng=rng, dtype=np.float64), Tanh(), Linear(6, 2, rng=rng, dtype=np.float64)
        )
        self.wrong = wrong

    def loss(self, x, target):
        out, caches = self.net.forward(x)
        loss, dout = right_loss(out, target)
        return loss, (dout, caches)

    def backward(self, cache, input_grad=False):
        dout, caches = cache
        self.net.backward(dout, caches, input_grad=False)
        self.net[0].weight.grad[3, 2] *= 1 + self.wrong
        return {"dout": dout}


class Overwrites(Affine):
    def backward(self, dout, x, input_grad=True):
        if self.trainable:
            self.weight.grad[...] = x.T @ dout
            self.bias.grad[...] = dout.sum(axis=0)
        return dout @ self.weight.value.T if input_grad else None


class ChangesDout(Affine):
    """Scales the caller's array in place, for example to compute a mean over the batch."""

    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x, input_grad)
        dout *= 0.5
        return dx


class ChangesCache(Affine):
    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x, input_grad)
        x += 1
        return dx


class KeepsItsInput(Affine):
    def forward(self, x, training=False):
        self.x = x
        return super().forward(x)

    def backward(self, dout, x, input_grad=True):
        return super().backward(dout, self.x, input_grad)


class NeverFrozen(Affine):
    def backward(self, dout, x, input_grad=True):
        self.bias.grad += dout.sum(axis=0)
        if self.trainable:
            self.weight.grad += x.T @ dout
        return dout @ self.weight.value.T if input_grad else None


class AlwaysReturnsDx(Affine):
    def backward(self, dout, x, input_grad=True):
        return super().backward(dout, x)


class SkipsParametersWithoutDx(Affine):
    def backward(self, dout, x, input_grad=True):
        return super().backward(dout, x) if input_grad else None


class NotANumberWhenFrozen(Affine):
    """Right in training, but dx is NaN if the layer is frozen, as inside a GAN."""

    def backward(self, dout, x, input_grad=True):
        dx = super().backward(dout, x, input_grad)
        return dx if self.trainable else dx * np.nan


class NotANumberTheSecondTime(Affine):
    """Right if the gradient was zero before, but NaN if it is added to another gradient."""

    def backward(self, dout, x, input_grad=True):
        again = self.weight.grad.any()
        dx = super().backward(dout, x, input_grad)
        if again:
            self.weight.grad[2, 1] = np.nan
        return dx
