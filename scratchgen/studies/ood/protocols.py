"""Two protocols that divide the digits into known and OOD ones, and control images without a digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchgen.checks import check_name
from scratchgen.data import Digits

PROTOCOLS = {
    "without": "trained without one digit, which is OOD",
    "only": "trained on one digit, all others are OOD",
}
HELD_OUT = 0.1          # share of the training digits that no model is fitted to
CONTROLS = ("blank", "full", "grey", "noise")


@dataclass(frozen=True, eq=False)
class Task:
    """Grey images for one protocol and one digit.

    train : (N, 784), the images to fit a model to;  held_out (M, 784) : of the same classes, kept apart
    known : test digits of the classes in `train`;  ood : test digits of the other classes;  ood_labels (P,)
    """

    train: np.ndarray
    held_out: np.ndarray
    known: np.ndarray
    ood: np.ndarray
    ood_labels: np.ndarray


def task(digits: Digits, protocol: str, digit: int, *, rng: np.random.Generator) -> Task:
    """Divide the digits by a protocol: training "without" one digit, or on one digit "only".

    rng chooses the digits that are held out.

    Raises ValueError for an unknown protocol, for a digit outside 0 to 9, and if too few digits are left to
    train on, to hold out, or to test on.
    """
    check_name("protocol", protocol, PROTOCOLS)
    if not 0 <= digit <= 9:
        raise ValueError(f"ood expected a digit from 0 to 9, got {digit}")
    is_known = (digits.y_train == digit) == (protocol == "only")
    test_is_known = (digits.y_test == digit) == (protocol == "only")
    x = digits.x_train[is_known]
    x = x[rng.permutation(len(x))]
    held_out = int(HELD_OUT * len(x))
    known, ood = digits.x_test[test_is_known], digits.x_test[~test_is_known]
    if held_out < 2 or len(known) < 1 or len(ood) < 1:
        got = f"{len(x)} training digits, {len(known)} known and {len(ood)} OOD test digits"
        raise ValueError(f"ood expected known and OOD digits ({protocol} {digit}), got {got}")
    return Task(x[held_out:], x[:held_out], known, ood, digits.y_test[~test_is_known])


def controls(n: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """n grey images (n, 784) of each control: all black, all white, all half grey, and uniform noise."""
    return {
        "blank": np.zeros((n, 784), np.float32),
        "full": np.ones((n, 784), np.float32),
        "grey": np.full((n, 784), np.float32(128 / 255)),
        "noise": (rng.integers(0, 256, (n, 784)) / 255).astype(np.float32),
    }
