"""The figure of the front page: a grid of noise that becomes digits, drawn by flow matching.

    python website/front_figure.py          write website/static/front.webp and front.png

Both models come with the package. `flow-matching-codes` moves random codes of 24 numbers to codes of
digits, and the decoder of `autoencoder` draws each state as a picture. Each column of the grid is one class,
from 0 to 9. The figure shows the states of Heun's method from t = 0, which is noise, to t = 1. The last state
is also written as a still picture, front.png, for readers who prefer reduced motion.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import scratchgen

STATIC = Path(__file__).resolve().parent / "static"
SEED, GUIDANCE, STEPS = 0, 1.0, 32
ROWS, CLASSES, SIDE, GAP = 5, 10, 28, 2
MOVING, FIRST, LAST = 110, 500, 800      # milliseconds of a frame


def states(model: Any, rng: np.random.Generator) -> np.ndarray:
    """The codes from noise to digits, (STEPS + 1, N, D), by Heun's method."""
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
    return np.stack(found) * model.scale + model.shift


def grid(x: np.ndarray) -> Image.Image:
    """Digits (ROWS·CLASSES, SIDE²), dark on a light ground, with gaps between them."""
    tiles = np.full((ROWS, SIDE + GAP, CLASSES, SIDE + GAP), 255, np.uint8)
    levels = np.round(255 * (1 - x)).astype(np.uint8)
    tiles[:, :SIDE, :, :SIDE] = levels.reshape(ROWS, CLASSES, SIDE, SIDE).transpose(0, 2, 1, 3)
    picture = tiles.reshape(ROWS * (SIDE + GAP), CLASSES * (SIDE + GAP))[:-GAP, :-GAP]
    return Image.fromarray(picture)


def frames() -> list[Image.Image]:
    """The pictures of all states."""
    codes = states(scratchgen.load("flow-matching-codes"), np.random.default_rng(SEED))
    decoder: Any = scratchgen.load("autoencoder")
    return [grid(decoder.inverse_transform(z)) for z in codes]


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
    parser.add_argument("--out", type=Path, default=STATIC, help="the folder to write to")
    write(frames(), parser.parse_args().out)


if __name__ == "__main__":
    main()
