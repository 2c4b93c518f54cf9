"""Record the training of VAEs for the live page "tug-of-war": some minutes of one core.

    python website/record_tug_of_war.py             with the full MNIST, as recorded
    python website/record_tug_of_war.py --out FILE --epochs 1

For each width of the code and each beta, a VAE is trained with the same data, order and noise. At about 40
steps, from 0 to the last one and evenly on a logarithmic scale, these are recorded:

    nll, kl         of 1,000 test digits with binary pixels, in nats; nll with 8 codes for each digit
    kl_dims         the KL of each dimension of the code, (K,)
    pulls           the gradients of nll and of beta·kl by the log-variance of a code, summed over its
                    dimensions and averaged over the digits: what asks for less noise and what asks for more
    mu, logvar      the posteriors of the first 60 of these digits, (60, K), in half precision
    pictures        6 digits decoded from the means of their posteriors, and 6 codes from N(0, I) decoded,
                    (12, 784), in 256 grey levels
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen.data import Digits, binarise, load_digits
from scratchgen.distributions import Normal
from scratchgen.models import VAE
from scratchgen.training import Callback, OneCycle, Trainer

FILE = Path(__file__).resolve().parent / "live" / "tug-of-war" / "record.npz"
CODES, BETAS = (2, 10), (0.2, 1.0, 5.0)
HIDDEN = (200, 100)
EPOCHS, BATCH, RATE, SEED = 8, 128, 3e-3, 0
MEASURED, ELLIPSES, DRAWS, SNAPSHOTS = 1000, 60, 8, 40
SHOWN = 6


class Examples:
    """The digits and the noise with which all runs are measured.

    x (N, 784) binary pixels, y (N,) labels, eps (DRAWS, N, K), z (SHOWN, K), shown: the indices of one digit
    of each of six classes
    """

    def __init__(self, digits: Digits, code: int):
        self.x = binarise(digits.x_test[:MEASURED], rng=SEED)
        self.y = digits.y_test[:MEASURED]
        rng = np.random.default_rng(SEED)
        self.eps = rng.standard_normal((DRAWS, len(self.x), code)).astype(np.float32)
        self.z = rng.standard_normal((SHOWN, code)).astype(np.float32)
        self.shown = np.array([int(np.argmax(self.y == label)) for label in (0, 2, 3, 4, 7, 8)])


def snapshot(model: VAE, examples: Examples) -> dict[str, np.ndarray]:
    """What is recorded at one step, by name."""
    x, n = examples.x, len(examples.x)
    mu, logvar = model.posterior(x)
    nll, pull = 0.0, 0.0
    for eps in examples.eps:
        _, cache = model.loss(x, eps=eps)
        with model.frozen():
            dz = model.backward(cache)["dz"]
        nll += cache.nll / DRAWS
        pull += float((0.5 * dz * eps * cache.std).sum()) / DRAWS       # the first term of (VAE.8)
    dkl = model.beta / n * Normal.kl_grad(mu, logvar)[1]                # the second one
    kl = Normal.kl(mu, logvar)                                          # (N, K)
    means = np.concatenate([mu[examples.shown], examples.z])
    return {
        "nll": np.float32(nll),
        "kl": np.float32(kl.sum() / n),
        "kl_dims": kl.mean(axis=0),
        "pulls": np.array([pull, float(dkl.sum())], np.float32),
        "mu": mu[:ELLIPSES].astype(np.float16),
        "logvar": logvar[:ELLIPSES].astype(np.float16),
        "pictures": np.rint(255 * model.inverse_transform(means)).astype(np.uint8),
    }


class Record(Callback):
    """Takes a snapshot after some of the steps."""

    def __init__(self, steps: np.ndarray, examples: Examples):
        self.steps, self.examples = set(steps.tolist()), examples
        self.snapshots: list[dict[str, np.ndarray]] = []

    def on_step(self, trainer: Trainer, values: dict[str, float]) -> None:
        if trainer.step in self.steps:
            self.snapshots.append(snapshot(trainer.model, self.examples))


def snapshot_steps(last: int) -> np.ndarray:
    """At most SNAPSHOTS steps from 0 to the last one, evenly on a logarithmic scale."""
    later = np.unique(np.rint(np.geomspace(1, last, SNAPSHOTS + 8)).astype(int))
    keep = np.unique(np.rint(np.linspace(0, len(later) - 1, SNAPSHOTS - 1)).astype(int))
    return np.concatenate([[0], later[keep]])


def run(code: int, beta: float, digits: Digits, epochs: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Train one VAE; return the steps (S,) and what was recorded, with one row for each step."""
    rng = np.random.default_rng(SEED)
    model = VAE.dense((784, *HIDDEN, code), rng=rng, beta=beta)
    examples = Examples(digits, code)
    steps = snapshot_steps(epochs * -(-len(digits.x_train) // BATCH))
    record = Record(steps, examples)
    record.snapshots.append(snapshot(model, examples))
    model.fit(digits.x_train, epochs=epochs, batch_size=BATCH, lr=OneCycle(RATE), rng=rng, callbacks=[record])
    return steps, {name: np.stack([s[name] for s in record.snapshots]) for name in record.snapshots[0]}


def record_all(digits: Digits, epochs: int = EPOCHS) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of the file, by name: what all runs share, and "CODE-BETA/NAME" of each run."""
    examples = Examples(digits, 2)
    yield "shown", np.rint(255 * digits.x_test[examples.shown]).astype(np.uint8)
    yield "shown_at", examples.shown.astype(np.int32)
    yield "labels", examples.y[:ELLIPSES].astype(np.uint8)
    yield "trained_on", np.int32(len(digits.x_train))
    for code in CODES:
        for beta in BETAS:
            steps, found = run(code, beta, digits, epochs)
            print(f"K = {code}, beta = {beta:g}: nll {found['nll'][-1]:.1f}, kl {found['kl'][-1]:.2f} nats")
            for name, array in found.items():
                yield f"{code}-{beta:g}/{name}", array
    yield "steps", steps.astype(np.int32)


def main(argv: Sequence[str] | None = None) -> int:
    """Record all runs and write the file."""
    parser = argparse.ArgumentParser(description="record the training of VAEs for the page tug-of-war")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args(argv)
    arrays: dict[str, Any] = dict(record_all(load_digits("full"), args.epochs))
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}  {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
