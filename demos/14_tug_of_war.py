"""Tug of war over the noise: the decoder pulls it down, the KL up; then the decoder is damaged in two ways.

A plain reading says: while the decoder is bad the encoder lowers its noise, so that learning is easier, and
when the decoder is good it raises it. What is measured here is something else. The two pulls on the log-
variance,

    the decoder's   ½·dz·eps·std·N = ½·std²·steepness          down, as its answer to z gets steeper
    the KL's        ½·(std² − 1)                               up, until the noise is the prior's

balance at std² = 1 / (1 + steepness). An untrained decoder is flat: it ignores z, and the noise stays near
1. A trained one is steep, and the noise is small. So when its weights are shuffled the decoder no longer
knows what z means, and the noise grows until it has learnt again; when noise is added to its weights it
answers wrongly but as steeply as before, or more so, and the noise shrinks, as in the plain reading.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import binarise, load_digits
from scratchgen.layers import Parameter
from scratchgen.models import VAE
from scratchgen.progress import ProgressBar
from scratchgen.training import Callback, History, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 1
DAMAGES = ("shuffled", "noised")
BATCH = 128


class Damage(Callback):
    """Damages a layer, once: its weights in another order, or with noise of twice their spread added."""

    def __init__(self, weight: Parameter, kind: str, after: int):
        self.weight, self.kind, self.after = weight, kind, after

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step == self.after:
            rng = np.random.default_rng(SEED)
            weight = self.weight.value
            if self.kind == "shuffled":
                weight[...] = rng.permutation(weight.ravel()).reshape(weight.shape)
            else:
                weight += 2 * weight.std() * rng.standard_normal(weight.shape, weight.dtype)


class Pulls(Callback):
    """Measures both pulls on test digits: in the first 20 steps, in 20 after the damage, and every tenth."""

    def __init__(self, model: VAE, x: np.ndarray, damaged: int):
        self.model = model
        self.x = binarise(x, rng=np.random.default_rng(SEED))
        self.damaged = damaged
        self.rows: list[tuple[float, ...]] = []

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        since = trainer.step - self.damaged * (trainer.step > self.damaged)
        if since > 20 and since % 10:
            return
        with self.model.frozen():
            _, cache = self.model.loss(self.x, rng=np.random.default_rng(SEED))
            dz = len(self.x) * self.model.backward(cache)["dz"]  # (N, K), of each example's own loss
        decoder, kl = 0.5 * dz * cache.eps * cache.std, 0.5 * (cache.std**2 - 1)
        steepness = (dz * cache.eps / cache.std).mean(axis=0)   # (K,)
        balance = 1 / np.sqrt(np.maximum(1 + steepness, 0.1))   # where the pulls would be equal
        self.rows.append((trainer.step, decoder.mean(), -kl.mean(), cache.std.mean(), balance.mean()))


def main(out: Path, epochs: int = 20) -> None:
    """Train two VAEs that differ only in the damage after half of the epochs; print the tables, draw."""
    digits = load_digits()
    print(digits.source)
    damaged = epochs // 2 * -(-len(digits.x_train) // BATCH)
    runs = {}
    for kind in DAMAGES:
        print(f"\nVAE 784-400-20; after step {damaged} the weights of its decoder's first layer are {kind}")
        rng = np.random.default_rng(SEED)
        model = VAE.dense((784, 400, 20), rng=rng)
        first = model.decoder.parameters()["0.weight"]
        pulls = Pulls(model, digits.x_test[:500], damaged)
        told = [ProgressBar(), pulls, Damage(first, kind, damaged)]
        trainer = model.trainer(digits.x_train, epochs=epochs, batch_size=BATCH, rng=rng, callbacks=told)
        runs[kind] = trainer.run(), np.array(pulls.rows)

    print("\nReconstruction error and KL in nats, the noise, and the noise at which the pulls balance")
    print("                             step    error       KL      std  balance")
    for kind, (history, rows) in runs.items():
        last = len(history.steps["std"])
        steps = {"first step": 1, "before the damage": damaged, "end": last}
        steps |= {f"{n} after": damaged + n for n in (1, 5, 15, 60) if damaged + n < last}
        for name, step in sorted(steps.items(), key=lambda item: item[1]):
            error, kl, std = (history.steps[key][step - 1] for key in ("reconstruction", "kl", "std"))
            balance = rows[np.abs(rows[:, 0] - step).argmin(), 4]
            print(f"{kind + ', ' + name:29}{step:4}{error:9.1f}{kl:9.1f}{std:9.3f}{balance:9.3f}")

    print("\nCorrelation of the noise with the error, and with the balance it runs after (of logarithms)")
    for kind, (history, rows) in runs.items():
        measured = rows[:, 0].astype(int) - 1
        error, std = (np.log(history.steps[key])[measured] for key in ("reconstruction", "std"))
        for name, phase in (("before", measured < damaged), ("after", measured >= damaged)):
            with_error = np.corrcoef(error[phase], std[phase])[0, 1]
            with_balance = np.corrcoef(np.log(rows[phase, 4]), std[phase])[0, 1]
            print(f"{kind + ', ' + name:29}{with_error:13.2f}{with_balance:18.2f}")
    picture = plots.save(draw(runs, damaged), out / "tug_of_war.png")
    print(f"\n{picture} is drawn")


def draw(runs: dict[str, tuple[History, np.ndarray]], damaged: int) -> Figure:
    """From the start on the left, from the damage on the right; the same scale on both sides."""
    fig = plots.new_figure(8.0, title="The noise follows how steeply the decoder answers, not how good it is")
    axes = fig.subplots(4, 2, sharex="col", sharey="row")
    names = ("reconstruction\nerror, nats", "KL, nats", "noise: mean std", "pull on the\nlog-variance")
    for row, name in zip(axes, names, strict=True):
        row[0].set_ylabel(name, fontsize=10, color=plots.TEXT)
    for (kind, (history, rows)), (colour, _) in zip(runs.items(), plots.LINES, strict=False):
        steps = np.arange(1, len(history.steps["std"]) + 1)
        for column, since, phase in ((0, 0, steps <= damaged), (1, damaged, steps > damaged)):
            if column == 0 and kind != DAMAGES[0]:
                continue        # before the damage the runs are one
            look = {"color": plots.TEXT if column == 0 else colour, "linewidth": 1.5}
            for ax, key in zip(axes[:3, column], ("reconstruction", "kl", "std"), strict=True):
                ax.plot(steps[phase] - since, np.array(history.steps[key])[phase], label=kind, **look)
            mine = phase[rows[:, 0].astype(int) - 1]
            x, decoder, kl, _, balance = rows[mine].T
            axes[2, column].plot(x - since, balance, ":", label="where the pulls balance", **look)
            axes[3, column].plot(x - since, decoder, label="the decoder's, for less noise", **look)
            axes[3, column].plot(x - since, kl, "--", label="the KL's, for more", **look)
    for ax in axes.flat:
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    for ax in axes[0]:
        ax.set_yscale("log")
        ax.set_yticks([100, 200, 400], ["100", "200", "400"])
        ax.minorticks_off()
    axes[1, 0].set_yscale("log")
    axes[1, 0].set_yticks([1, 10, 50], ["1", "10", "50"])
    axes[2, 0].set_ylim(0, 1.25)
    axes[3, 0].set_ylim(-0.2, 0.6)
    axes[0, 0].set_title("from the start", fontsize=10)
    axes[0, 1].set_title(f"after step {damaged}, when the decoder's weights were", fontsize=10)
    axes[0, 1].legend(frameon=False, fontsize=9.5)
    axes[2, 0].legend(axes[2, 0].lines[:2], ["noise", "where the pulls balance"], frameon=False, fontsize=9.5)
    axes[3, 0].legend(frameon=False, fontsize=9.5)
    for ax, what in zip(axes[3], ("updates", "updates since the damage"), strict=True):
        ax.set_xscale("log")
        ax.set_xticks([1, 10, 100], ["1", "10", "100"])
        ax.set_xlabel(f"{what} (logarithmic)", fontsize=10, color=plots.TEXT)
    return fig


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
