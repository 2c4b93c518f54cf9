"""Dropout: training with a random part of the entries switched off."""

from scratchgen.layers.base import Layer


class Dropout(Layer):
    """Inverted dropout: in training each entry is zero with probability p, else grows by 1/(1 − p).

    (DROP.1)  out = x·mask,  mask = [noise ≥ p] / (1 − p)       noise uniform on [0, 1), one number an entry
    (DROP.2)  dx  = dout·mask

    So out has x as its mean, and evaluation changes nothing: out is x itself, and no mask is kept. The mask
    is drawn by the layer's own generator, which `generators()` shows, so that a run can be taken up again.
    Raises ValueError for p outside [0, 1). Source: Srivastava et al. 2014, section 10 for the scaling.

    p : the probability that an entry is dropped
    """

    piecewise_linear = True  # given its mask, which the cache holds

    def __init__(self, p=0.5, *, rng):
        if not 0 <= p < 1:
            raise ValueError(f"Dropout expected a probability p in [0, 1), got {p}")
        self.p, self.rng = p, rng

    def forward(self, x, training=False):
        self.expect(x)
        if not training or self.p == 0:
            return x, (x.shape, x.dtype, None)
        noise = self.rng.random(x.shape, x.dtype)
        mask = (noise >= self.p) * x.dtype.type(1 / (1 - self.p))
        return x * mask, (x.shape, x.dtype, mask)               # (DROP.1)

    def backward(self, dout, cache, input_grad=True):
        shape, dtype, mask = cache
        self.expect_gradient(dout, shape, dtype)
        if not input_grad:
            return None
        return dout if mask is None else dout * mask            # (DROP.2)

    def jvp(self, dx, cache):
        """Push a tangent forward; the Jacobian is diagonal, so this is what backward does."""
        return self.backward(dx, cache)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"
