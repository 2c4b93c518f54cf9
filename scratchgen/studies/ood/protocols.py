"""The two ways to ask for the foreign, and the images that nobody could take for a digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import Digits

PROTOCOLS = {
    "without": "trained without one digit, which is the foreign one",
    "only": "trained on one digit, all others are foreign",
}
HELD = 0.1              # share of the training digits that no model is fitted to
CONTROLS = ("blank", "full", "grey", "noise")


@dataclass(frozen=True, eq=False)
class Task:
    """Grey images of one protocol and one digit.

    train   : (N, 784) to fit a model to;  held (M, 784) : of the same classes, kept apart
    home    : test digits of the classes in `train`;  foreign : of the others;  foreign_labels : which
    """

    train: np.ndarray
    held: np.ndarray
    home: np.ndarray
    foreign: np.ndarray
    foreign_labels: np.ndarray


def task(digits: Digits, protocol: str, digit: int, *, rng: np.random.Generator) -> Task:
    """Part the digits by protocol: "without" one digit, or one digit "only"; rng draws those held out.

    Raises ValueError for an unknown protocol, for no digit from 0 to 9, and where too few digits are left to
    fit to, to hold out, or to test on.
    """
    check_name("protocol", protocol, PROTOCOLS)
    if not 0 <= digit <= 9:
        raise ValueError(f"anomaly expected a digit from 0 to 9, got {digit}")
    at_home = (digits.y_train == digit) == (protocol == "only")
    test_at_home = (digits.y_test == digit) == (protocol == "only")
    x = digits.x_train[at_home]
    x = x[rng.permutation(len(x))]
    held = int(HELD * len(x))
    home, foreign = digits.x_test[test_at_home], digits.x_test[~test_at_home]
    if held < 2 or len(home) < 1 or len(foreign) < 1:
        got = f"{len(x)} to train on, {len(home)} at home and {len(foreign)} foreign ones to test on"
        raise ValueError(f"anomaly expected digits on both sides ({protocol} {digit}), got {got}")
    return Task(x[held:], x[:held], home, foreign, digits.y_test[~test_at_home])


def controls(n: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """n grey images (n, 784) of each control: nothing, all ink, all half grey, and a grey level at random."""
    return {
        "blank": np.zeros((n, 784), np.float32),
        "full": np.ones((n, 784), np.float32),
        "grey": np.full((n, 784), np.float32(128 / 255)),
        "noise": (rng.integers(0, 256, (n, 784)) / 255).astype(np.float32),
    }
