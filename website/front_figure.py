"""The figure of the front page: a grid of noise that becomes digits, drawn by flow matching.

    python website/front_figure.py              train a small model and write website/static/front.webp
    python website/front_figure.py --model F    use the model in the file F; write F if it is missing

The model knows the classes of the digits: each column of the grid is one class, from 0 to 9. The figure shows
the states of Heun's method from t = 0, which is noise, to t = 1. The last state is also written as a still
picture, front.png, for readers who prefer no motion.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import scratchgen
from scratchgen import AveragedWeights, Cosine, FlowMatching, Muon, load_digits

STATIC = Path(__file__).resolve().parent / "static"
SEED, EPOCHS, BATCH = 0, 1, 32
CHANNELS, GUIDANCE, STEPS = (16, 32), 2.0, 32
ROWS, CLASSES, SIDE, GAP = 5, 10, 28, 2
MOVING, FIRST, LAST = 110, 500, 800      # milliseconds of a frame


def train(epochs: int = EPOCHS) -> FlowMatching:
    """A U-Net trained on the digits with their classes, with averaged weights at the end."""
    digits = load_digits()
    rng = np.random.default_rng(SEED)
    model = FlowMatching.convolutional(CHANNELS, times="logit-normal", classes=CLASSES, rng=rng)
    averaged = AveragedWeights(0.999)
    trainer = model.trainer(
        digits.x_train, digits.y_train, epochs=epochs, batch_size=BATCH, lr=Cosine(2.5e-3),
        optimizer=partial(Muon, scale=0.4), callbacks=[averaged], rng=rng,
    )  # fmt: skip
    trainer.run()
    with averaged.applied():
        weights = {name: parameter.value.copy() for name, parameter in model.parameters().items()}
    for name, parameter in model.parameters().items():
        parameter.value[...] = weights[name]
    return model


def states(model: FlowMatching, rng: np.random.Generator) -> np.ndarray:
    """The states from noise to digits, (STEPS + 1, N, D), with grey values in [0, 1]."""
    y = np.tile(np.arange(CLASSES), ROWS)
    x = model.prior_sample(len(y), rng=rng)
    found = [x]
    times = np.linspace(0, 1, STEPS + 1)
    for t, following in zip(times[:-1], times[1:], strict=True):
        h = x.dtype.type(following - t)
        slope = model.velocity(x, t, y, GUIDANCE)
        slope = (slope + model.velocity(x + h * slope, following, y, GUIDANCE)) / 2
        x = x + h * slope
        found.append(x)
    return np.clip(np.stack(found) * model.scale + model.shift, 0, 1)


def grid(x: np.ndarray) -> Image.Image:
    """Digits (ROWS·CLASSES, SIDE²), dark on a light ground, with gaps between them."""
    tiles = np.full((ROWS, SIDE + GAP, CLASSES, SIDE + GAP), 255, np.uint8)
    levels = np.round(255 * (1 - x)).astype(np.uint8)
    tiles[:, :SIDE, :, :SIDE] = levels.reshape(ROWS, CLASSES, SIDE, SIDE).transpose(0, 2, 1, 3)
    picture = tiles.reshape(ROWS * (SIDE + GAP), CLASSES * (SIDE + GAP))[:-GAP, :-GAP]
    return Image.fromarray(picture)


def write(frames: list[Image.Image], folder: Path = STATIC) -> None:
    """front.webp, which plays once, and front.png, its last frame."""
    times = [FIRST, *[MOVING] * (len(frames) - 2), LAST]
    frames[0].save(
        folder / "front.webp", save_all=True, append_images=frames[1:], duration=times, loop=1, quality=70,
        method=6,
    )  # fmt: skip
    frames[-1].save(folder / "front.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the figure of the front page.")
    parser.add_argument("--model", type=Path, help="a file with the trained model")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    if given.model and given.model.exists():
        model = scratchgen.load(given.model)
    else:
        model = train(given.epochs)
        if given.model:
            scratchgen.save(model, given.model)
    write([grid(x) for x in states(model, np.random.default_rng(SEED))])


if __name__ == "__main__":
    main()
