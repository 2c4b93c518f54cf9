"""Four mistakes pass a gradient check; samples show three.

"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import two_moons
from scratchgen.layers import ResidualNet
from scratchgen.losses import squared_error
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.models.diffusion.flow_matching import FlowMatchingCache
from scratchgen.studies.experiments.paths import energy_distance
from scratchgen.training import Cosine

from ..common import print_table, run, save, tidy


class DataFedIn(FlowMatching):
    """The network gets x_1 where it should get x_t."""

    def loss(self, x1, x0=None, t=None, y=None, *, rng=None, training=False):
        v, cache = self.net.forward(x1, t, y, training)                 # not x_t = (1 − t)·x0 + t·x1
        loss, dv = squared_error(v, x1 - x0)
        return loss / self.features, FlowMatchingCache(dv / dv.dtype.type(self.features), cache)


class OneTimePerBatch(FlowMatching):
    """All examples of a batch have the same time."""

    def _times(self, n, rng):
        return np.full(n, rng.random(), self.dtype)                     # not rng.random(n)


class Timeless(ResidualNet):
    """The network does not see the time."""

    def forward(self, x, t, y=None, training=False):
        return super().forward(x, np.zeros_like(t), y, training)        # not t


class NoisyLastStep(Diffusion):
    """The sampler adds noise in its last step, too."""

    def _ddim(self, denoised, t, u, eta=0.0, rng=None):
        x = super()._ddim(denoised, t, u, eta, rng)
        if u == 0 and eta:
            std = eta * np.sqrt(1 - self.noise.alpha_bar[t])
            x = x + (std * rng.standard_normal(x.shape)).astype(x.dtype)
        return x


def main(out: Path, *, points: int = 10_000, epochs: int = 60, samples: int = 3000, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    X = two_moons().sample(points, rng=rng).astype(np.float32)
    test = two_moons().sample(samples, rng=rng)
    table = {"floor": {"d": energy_distance(two_moons().sample(samples, rng=rng), test), "logp": two_moons().log_density(test).mean()}}
    models = {"right": FlowMatching.dense(2, 64, 2, rng=0), "x1": DataFedIn.dense(2,64,2,rng=0), "one": OneTimePerBatch.dense(2,64,2,rng=0),
      "timeless": FlowMatching(Timeless(2,64,2,embedding=64,rng=0),2)}
    for name, m in models.items():
        h = m.trainer(X, epochs=epochs, batch_size=128, rng=0, lr=Cosine(5e-3)).run().epochs["loss"]
        S = m.sample(samples, rng=1)
        table[name] = {"first": h[0], "loss": h[-1], "d": energy_distance(S, test), "logp": two_moons().log_density(S).mean()}
    for name, cls in (("diff", Diffusion), ("last", NoisyLastStep)):
        m = cls.dense(2, 64, 2, rng=0)
        h = m.trainer(X, epochs=epochs, batch_size=128, rng=0, lr=Cosine(5e-3)).run().epochs["loss"]
        for k in (20, 50, 100, 1000):
            S = m.sample(samples, rng=1, steps=k)
            table[f"{name} {k}"] = {"first": h[0], "loss": h[-1], "d": energy_distance(S, test), "logp": two_moons().log_density(S).mean()}
    print_table(table, "", dict.fromkeys(("first", "loss","d","logp"),".3f"))
    return table


if __name__ == "__main__":
    run(main)
