"""Tug of war over the noise: the decoder pulls it down, the KL up; then the decoder is damaged in two ways.

A plain reading says: while the decoder is bad the encoder lowers its noise, so that learning is easier, and
when the decoder is good it raises it. What is measured here is something else. To second order the noise is
best at

    std² = 1 / (1 + H),     H = Σ_d p_d·(1 − p_d)·J_d²,     J = d logits / dz at z = mu

and this is computed from the decoder alone, without the gradient that trains the noise. An untrained decoder
is flat: it ignores z, and the noise stays near 1. (In the first updates the decoder even asks for more: then
what H leaves out, the decoder's bends weighed by its error, is the larger part, and negative.) A trained one
is steep, and the noise is small. So when its weights are shuffled the noise grows until it has learnt again;
when noise is added to its weights it answers wrongly but as steeply as before, or more so, and the noise
shrinks, as in the plain reading. A third run is left alone: the noise falls in any case as training goes on,
and only what differs from it is an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scratchgen import plots
from scratchgen.data import binarise, load_digits
from scratchgen.layers import Parameter, Sequential
from scratchgen.models import VAE
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.loop import Callback, History, Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEED = 1
RUNS = {"undamaged": plots.GREY, "shuffled": plots.LINES[0][0], "noised": plots.LINES[1][0]}
BATCH = 128
COMPARED = slice(4, 30)     # steps 5 to 30 after the damage


class Damage(Callback):
    """Damages a layer, once: its weights in another order, or with noise of twice their spread added.

    An "undamaged" one is left as it is.
    """

    def __init__(self, weight: Parameter, kind: str, after: int):
        self.weight, self.kind, self.after = weight, kind, after

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step == self.after:
            rng = np.random.default_rng(SEED)
            weight = self.weight.value
            if self.kind == "shuffled":
                weight[...] = rng.permutation(weight.ravel()).reshape(weight.shape)
            if self.kind == "noised":
                weight += 2 * weight.std() * rng.standard_normal(weight.shape, weight.dtype)


class Pulls(Callback):
    """Measures both pulls and the predicted noise, 20 times from the start and the damage, then every tenth.

    x : test digits; the prediction takes the first 100 of them, since it costs K passes
    """

    def __init__(self, model: VAE, x: np.ndarray, damaged: int):
        self.model = model
        self.x = binarise(x, rng=np.random.default_rng(SEED))
        self.damaged = damaged
        self.rows: list[tuple[float, ...]] = []
        self.before: tuple[np.ndarray, np.ndarray] | None = None  # predicted and real noise, each (100, K)

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        since = trainer.step - self.damaged * (trainer.step > self.damaged)
        if since > 20 and since % 10 and trainer.step != self.damaged:
            return
        with self.model.frozen():
            _, cache = self.model.loss(self.x, rng=np.random.default_rng(SEED))
            dz = len(self.x) * self.model.backward(cache)["dz"]  # (N, K), of each example's own loss
        decoder, kl = 0.5 * dz * cache.eps * cache.std, 0.5 * (cache.std**2 - 1)
        predicted, std = predicted_noise(self.model, self.x[:100]), cache.std[:100]
        alike = np.corrcoef(np.log(predicted).ravel(), np.log(std).ravel())[0, 1]
        self.rows.append((trainer.step, decoder.mean(), -kl.mean(), std.mean(), predicted.mean(), alike))
        if trainer.step == self.damaged:
            self.before = predicted, std


def predicted_noise(model: VAE, x: np.ndarray) -> np.ndarray:
    """sqrt(1 / (1 + H)) of each digit and dimension, x (N, D) -> (N, K): docs/vae.md, section 8.

    H = Σ_d p_d·(1 − p_d)·J_d², one column of J at a time: the decoder's answer to a step along one axis.
    """
    mu, decoder = model.transform(x), model.decoder
    assert isinstance(decoder, Sequential)
    logits, cache = decoder.forward(mu)
    variance = np.exp(-np.abs(logits)) / (1 + np.exp(-np.abs(logits))) ** 2  # p·(1 − p), (N, D)
    curvature = np.empty_like(mu)
    for k in range(mu.shape[1]):
        step = np.zeros_like(mu)
        step[:, k] = 1
        curvature[:, k] = (variance * decoder.jvp(step, cache) ** 2).sum(axis=1)
    return np.sqrt(1 / (1 + curvature))


def main(out: Path, shown: int = 120_000) -> None:
    """Train three VAEs that differ only in the damage half-way; print the tables, draw.

    shown : how many digits each sees, 20 epochs of 6,000
    """
    digits = load_digits()
    print(digits.source)
    epochs = max(1, round(shown / len(digits.x_train)))
    damaged = epochs * -(-len(digits.x_train) // BATCH) // 2
    runs = {}
    for kind in RUNS:
        print(f"\nVAE 784-400-20; after step {damaged} the weights of its decoder's first layer are {kind}")
        rng = np.random.default_rng(SEED)
        model = VAE.dense((784, 400, 20), rng=rng)
        print(model.data_note)
        first = model.decoder.parameters()["0.weight"]
        pulls = Pulls(model, digits.x_test[:500], damaged)
        told = [ProgressBar(), pulls, Damage(first, kind, damaged)]
        trainer = model.trainer(digits.x_train, epochs=epochs, batch_size=BATCH, rng=rng, callbacks=told)
        runs[kind] = trainer.run(), np.array(pulls.rows)
    report(runs, damaged)
    picture = plots.save(draw(runs, pulls, damaged), out / "tug_of_war.png")
    print(f"\n{picture} is drawn")


def report(runs: dict[str, tuple[History, np.ndarray]], damaged: int) -> None:
    """Print what happened, how the damaged differ from the undamaged, and what the prediction is worth."""
    print("\nTraining digits: reconstruction error and KL in nats, mean noise. Test digits: the noise,")
    print("what sqrt(1 / (1 + H)) predicts, their correlation over digits and dimensions (of logarithms),")
    print("and the decoder's pull on the log-variance: it asks for more noise where it is negative")
    print("                             step   error      KL    std |    std  predicted  correlation   pull")
    for kind, (history, rows) in runs.items():
        last = len(history.steps["std"])
        steps = {"first step": 1, "step 5": 5, "before the damage": damaged, "end": last}
        steps |= {f"{n} after": damaged + n for n in (1, 5, 15, 60) if damaged + n < last}
        for name, step in sorted(steps.items(), key=lambda item: item[1]):
            if kind != "undamaged" and step <= damaged:
                continue        # until then the runs are one
            error, kl, mean_std = (history.steps[key][step - 1] for key in ("reconstruction", "kl", "std"))
            _, pull, _, std, predicted, alike = rows[np.abs(rows[:, 0] - step).argmin()]
            measured = f"{std:7.3f}{predicted:11.3f}{alike:13.2f}{pull:7.2f}"
            print(f"{kind + ', ' + name:29}{step:4}{error:8.1f}{kl:8.1f}{mean_std:7.3f} |{measured}")

    print("\nNoise and error over those of the undamaged run, steps 5 to 30 after the damage")
    after = {
        kind: [np.array(history.steps[key][damaged:])[COMPARED] for key in ("std", "reconstruction")]
        for kind, (history, _) in runs.items()
    }
    for kind in ("shuffled", "noised"):
        ratios = [np.mean(a / b) for a, b in zip(after[kind], after["undamaged"], strict=True)]
        print(f"{kind + ' / undamaged':29}" + "".join(f"{ratio:8.3f}" for ratio in ratios))

    history, _ = runs["undamaged"]
    errors, noise = (np.log(history.steps[key]) for key in ("reconstruction", "std"))
    print("\nUndamaged run, over its steps: correlation of the noise with the error (of logarithms)")
    print(f"{'from the first step on':29}{np.corrcoef(errors, noise)[0, 1]:8.2f}")


def draw(runs: dict[str, tuple[History, np.ndarray]], pulls: Pulls, damaged: int) -> Figure:
    """From the start on the left, from the damage on the right; the same scale on both sides.

    Below, what can't be seen there: each digit's noise against the prediction, and the noise drawn larger.
    """
    fig = plots.new_figure(8.6, title="The noise follows how steeply the decoder answers, not how good it is")
    axes = fig.subplots(5, 2, height_ratios=(1, 1, 1, 1, 1.4))
    names = ("reconstruction\nerror, nats", "KL, nats", "noise: mean std", "pull on the\nlog-variance")
    for (left, right), name in zip(axes, names, strict=False):
        left.set_ylabel(name, fontsize=9.5, color=plots.TEXT)
        right.sharey(left)
        right.tick_params(labelleft=False)
        for ax in (left, right):
            if ax is not axes[0, 0]:
                ax.sharex(axes[0, 0])
            ax.tick_params(labelbottom=name is names[3])
    for kind, (history, rows) in runs.items():
        steps = np.arange(1, len(history.steps["std"]) + 1)
        for column, since, phase in ((0, 0, steps <= damaged), (1, damaged, steps > damaged)):
            if column == 0 and kind != "undamaged":
                continue        # before the damage the runs are one
            look = {"color": plots.TEXT if column == 0 else RUNS[kind], "linewidth": 1.4}
            for ax, key in zip(axes[:3, column], ("reconstruction", "kl", "std"), strict=True):
                ax.plot(steps[phase] - since, np.array(history.steps[key])[phase], label=kind, **look)
            mine = phase[rows[:, 0].astype(int) - 1]
            x, decoder, kl, _, predicted, _ = rows[mine].T
            axes[2, column].plot(x - since, predicted, ":", label="predicted", **look)
            axes[3, column].plot(x - since, decoder, label="the decoder's, for less noise", **look)
            axes[3, column].plot(x - since, kl, "--", label="the KL's, for more", **look)
        if kind != "shuffled":
            axes[4, 1].plot(steps[:100], history.steps["std"][damaged:][:100], color=RUNS[kind])
    scatter_noise(axes[4, 0], pulls)
    for ax in axes.flat:
        ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8.5)
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_yticks([100, 200, 400], ["100", "200", "400"])
    axes[1, 0].set_yscale("log")
    axes[1, 0].set_yticks([1, 10, 50], ["1", "10", "50"])
    axes[2, 0].set_ylim(0, 1.25)
    axes[3, 0].set_ylim(-0.2, 0.6)
    axes[0, 0].set_title("from the start", fontsize=10)
    axes[0, 1].set_title(f"after step {damaged}, with the decoder", fontsize=10)
    axes[0, 1].legend(frameon=False, fontsize=9)
    axes[2, 0].legend(axes[2, 0].lines, ["noise", "predicted: sqrt(1/(1+H))"], frameon=False, fontsize=9)
    axes[3, 0].legend(frameon=False, fontsize=9)
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xticks([1, 10, 100], ["1", "10", "100"])
    for ax in axes[:2].flat:
        ax.minorticks_off()
    axes[3, 0].set_xlabel("updates (logarithmic)", fontsize=9.5, color=plots.TEXT)
    axes[3, 1].set_xlabel("updates since the damage (logarithmic)", fontsize=9.5, color=plots.TEXT)
    axes[4, 1].set_title("noise, drawn larger", fontsize=10)
    axes[4, 1].set_xlabel("updates since the damage", fontsize=9.5, color=plots.TEXT)
    return fig


def scatter_noise(ax: Axes, pulls: Pulls) -> None:
    """Predicted against real noise before the damage, a dot for each digit and dimension."""
    assert pulls.before is not None
    predicted, std = pulls.before
    ax.plot([0, 1.1], [0, 1.1], color=plots.GREY, linewidth=0.8)
    ax.scatter(predicted, std, s=2, color=plots.TEXT, alpha=0.3, linewidths=0)
    ax.set_xlim(0, 1.1)
    ax.set_ylim(0, 1.1)
    ax.set_title("before the damage, each digit and dimension", fontsize=10)
    ax.set_xlabel("predicted: sqrt(1/(1+H))", fontsize=9.5, color=plots.TEXT)
    ax.set_ylabel("noise: std", fontsize=9.5, color=plots.TEXT)


if __name__ == "__main__":
    gallery = Path("gallery")
    gallery.mkdir(exist_ok=True)
    main(gallery)
