"""The judge: a classifier trained by the library; it says which digit a sample shows, and lends its features.

Digit shares and Fréchet distances are taken with it everywhere, so that figures of different models can stand
side by side.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scratchgen.data import Digits, Jitter
from scratchgen.models import ConvClassifier
from scratchgen.training import checkpoint
from scratchgen.training.runs import run_saved
from scratchgen.training.schedules import OneCycle

EPOCHS = {"full": 15, "embedded": 6}
BATCH, PEAK, SEED = 128, 2e-3, 0
FOLDER = Path("runs")


def trained_judge(digits: Digits, folder: Path = FOLDER) -> ConvClassifier:
    """A ConvClassifier trained on these digits: read from `folder`, or else trained once and saved there.

    On the full set training takes about three minutes on one core (test accuracy 99.6 %), on the embedded
    digits 15 seconds; the file is judge-60000.safetensors, after the number of digits. A run that was broken
    off is taken up again. Says in one line what it does.
    """
    size = len(digits.x_train)
    epochs = EPOCHS["full" if size > 10_000 else "embedded"]
    rng = np.random.default_rng(SEED)
    model = ConvClassifier(rng=rng)
    path = folder / f"judge-{size}.safetensors"
    if path.is_file() and checkpoint.is_finished(path):
        checkpoint.load_model(path, model)
        print(f"the judge: a ConvClassifier trained on {size:,} digits, read from {path}")
        return model
    print(f"the judge: training a ConvClassifier on {size:,} digits, once; it will stand in {path}")
    trainer = model.trainer(
        digits.x_train,
        digits.y_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=OneCycle(PEAK),
        augment=Jitter(),
        rng=rng,
    )
    run_saved(trainer, path, resume=path.is_file(), config={"run": "judge", "size": size, "epochs": epochs})
    return model
