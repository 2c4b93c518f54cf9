"""The digit classifier, which classifies samples and provides the features of the Fréchet distance.

All studies use the same one, so that the results of different models can be compared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scratchgen.data import Digits, Jitter
from scratchgen.models import ConvClassifier
from scratchgen.studies.own_digits import checksum
from scratchgen.training import checkpoint
from scratchgen.training.runs import run_saved
from scratchgen.training.schedules import OneCycle

EPOCHS = {"full": 15, "embedded": 6}
BATCH, PEAK, SEED = 128, 2e-3, 0
FOLDER = Path("runs")


def trained_digit_classifier(digits: Digits, folder: Path = FOLDER) -> ConvClassifier:
    """A ConvClassifier trained on these digits: read from `folder`, or trained once and saved there.

    Training takes about three minutes of one core on the full set (test accuracy 99.6 %) and 15 seconds on
    the embedded digits. The file is digit-classifier-60000.safetensors, after the number of digits; for other
    images in their place, the name also has a checksum of them. An interrupted run is continued. Prints
    whether the classifier is trained or read from the file.
    """
    size = len(digits.x_train)
    epochs = EPOCHS["full" if size > 10_000 else "embedded"]
    rng = np.random.default_rng(SEED)
    model = ConvClassifier(rng=rng)
    path = folder / f"digit-classifier-{size}{checksum(digits)}.safetensors"
    if path.is_file() and checkpoint.is_finished(path):
        checkpoint.load_model(path, model)
        print(f"digit classifier: a ConvClassifier trained on {size:,} digits, read from {path}")
        return model
    print(f"digit classifier: training a ConvClassifier on {size:,} digits once, to be saved in {path}")
    trainer = model.trainer(
        digits.x_train,
        digits.y_train,
        epochs=epochs,
        batch_size=BATCH,
        lr=OneCycle(PEAK),
        rng=rng,
        augment=Jitter(),
    )
    config = {"run": "digit classifier", "size": size, "epochs": epochs}
    run_saved(trainer, path, resume=path.is_file(), config=config)
    return model
