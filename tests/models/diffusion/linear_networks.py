"""The best networks for Normal data, in closed form."""

import numpy as np

from scratchgen.layers import TimeNetwork
from scratchgen.module import Parameter


class BestFor(TimeNetwork):
    """f(x, t) = offset(t) + slope(t)·x, entry by entry, for data of independent features N(mean, std²)."""

    def __init__(self, mean, std):
        self.mean, self.std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        self.unused = Parameter(np.zeros(1))        # gives the model its dtype

    def forward(self, x, t, y=None, training=False):
        offset, slope = self.line(t[:, None])
        return offset + slope * x, slope

    def backward(self, dout, cache, input_grad=True):
        return dout * cache if input_grad else None


class BestVelocity(BestFor):
    """E[x_1 − x_0 | x_t] of straight paths from N(0, I) to the data, (FM.5)."""

    def line(self, t):
        variance = (1 - t) ** 2 + t**2 * self.std**2            # of x_t
        slope = (t * self.std**2 - (1 - t)) / variance          # Cov(x_1 − x_0, x_t) / Var(x_t)
        return self.mean - slope * t * self.mean, slope


class BestX0(BestFor):
    """E[x_0 | x_t] of a noise schedule with T steps, for time t/T."""

    def __init__(self, mean, std, noise):
        super().__init__(mean, std)
        self.noise = noise

    def line(self, t):
        step = np.rint(t * self.noise.steps).astype(int)
        a, s = self.noise.a[step], self.noise.s[step]
        slope = a * self.std**2 / (a**2 * self.std**2 + s**2)
        return self.mean - slope * a * self.mean, slope
