"""The card of the models that turn noise into data in small steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.data import Digits
from scratchgen.models import Diffusion, FlowMatching
from scratchgen.studies.cards.card import SIZE, Card, Trainable
from scratchgen.studies.spaces import GREY, SEED, Space

HIDDEN, BLOCKS, CHANNELS, LEVELS = 512, 4, (16, 32), 256
BATCH = 500


def loss_of_test_digits(model: Any, digits: Digits, space: Space) -> str:
    """A line with the loss of the test digits, each with one noise and one time, drawn with a fixed seed.

    A likelihood takes hundreds of evaluations of the network per digit, so it is not computed here.
    """
    x, rng = space.prepare(digits.x_test), np.random.default_rng(SEED)
    total = 0.0
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        total += len(part) * model.loss(*model.prepare((part,), rng))[0]
    return f"loss of the test digits: {total / len(x):.4f} (noise and times with seed {SEED})"


def forms(kind: Any) -> dict[str, Any]:
    """Both forms of a model. Each trains for about a minute on the embedded digits."""
    return {
        "dense": lambda rng: kind.dense(SIZE, HIDDEN, BLOCKS, levels=LEVELS, rng=rng),
        "convolutional": lambda rng: kind.convolutional(CHANNELS, levels=LEVELS, rng=rng),
    }


CARD = Card(
    title="diffusion",
    trainable={
        "diffusion": Trainable(forms=forms(Diffusion), space=GREY, figure=loss_of_test_digits),
        "flow_matching": Trainable(forms=forms(FlowMatching), space=GREY, figure=loss_of_test_digits),
    },
    interpolate_in=("latent code",),
    benchmarks=("unet",),
)
