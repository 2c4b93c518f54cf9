"""A GAN's code has directions for slant, width and digit.

Directions are fitted after training: the images of many codes are measured, and the measurement is regressed
on z (studies/experiments/code_directions.py). A direction u is tested by the correlation of z·u with the
measurement on new samples. Random directions are the control.

Look along the rows: a direction for slant may also change the digit, because 1s lean more than 9s. So codes
are moved along each direction from −2 to 2, and the table counts how often the class is the same at both
ends. This is repeated for the part of the direction that is orthogonal to the directions of all ten digits.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from scratchgen import plots
from scratchgen.data import load_digits
from scratchgen.models import DCGAN, GAN
from scratchgen.studies.experiments import code_directions as experiment
from scratchgen.studies.experiments import digit_gans

from ..common import digit_classifier, print_table, run, save, say

REACH = 2.0     # codes are moved from −REACH to REACH
RANDOM = 100    # random directions
COLUMNS = 11


def main(
    out: Path, *, shown: int = 120_000, draws: int = 9_000, moved: int = 1000, seed: int = 1
) -> dict[str, Any]:
    """Train a DCGAN, and find directions of its code.

    shown : real digits that the GAN sees, 20 epochs of 6,000
    draws : codes, two thirds for the fit and one for the correlation
    moved : codes that are moved along each direction
    """
    digits = load_digits()
    say(digits.source)
    classifier = digit_classifier(digits.x_train, digits.y_train, np.random.default_rng(seed))
    print("\nTraining a DCGAN with a code of 32 numbers")
    rng = np.random.default_rng(seed)
    model = DCGAN(32, (16, 32), rng=rng)
    digit_gans.fit(model, digits.x_train, shown, 1e-3, 5e-4, rng)

    z = model.prior_sample(draws, rng=rng)
    measured = experiment.measure(model.inverse_transform(z), classifier)      # (draws, 12)
    fit = 2 * draws // 3
    found = experiment.directions(z[:fit], measured[:fit])                      # (12, K)
    fresh, held_out = z[fit:], measured[fit:]
    r = experiment.correlation(fresh @ found.T, held_out)
    chance = experiment.unit(rng.standard_normal((RANDOM, model.code)))
    by_chance = np.abs(
        [experiment.correlation(np.repeat(fresh @ u[:, None], 12, axis=1), held_out) for u in chance]
    )
    correlations = {
        name: {"fitted": r[i], "random: mean": by_chance[:, i].mean(), "largest": by_chance[:, i].max()}
        for i, name in enumerate(experiment.NAMES)
    }
    title = f"Correlation with z·u on {len(fresh):,} fresh samples; {RANDOM} random directions"
    print_table(correlations, title)

    slant, width = found[10], found[11]
    groups = {
        "slant": [slant],
        "slant, no digit": [experiment.without(slant, [*found[:10], width])],
        "width": [width],
        "width, no digit": [experiment.without(width, [*found[:10], slant])],
        "a digit": list(found[:10]),
        "random": list(chance[:10]),
    }
    z = model.prior_sample(moved, rng=rng)
    std = measured.std(axis=0)[10:]
    effects = {}
    for name, group in groups.items():
        each = [experiment.effect(model, classifier, z, u, std, REACH) for u in group]
        effects[name] = dict(zip(("slant", "width", "same class"), np.mean(each, axis=0), strict=True))
    title = (
        f"Moved from −{REACH:g} to {REACH:g} along a direction: sizes of the changes in standard deviations "
        "over generated digits; of ten directions, their mean"
    )
    print_table(effects, title, {"same class": ".1%"})
    sure = classifier.predict_proba(model.inverse_transform(z)).max(axis=1)
    clear = z[sure > 0.99] if (sure > 0.99).sum() > 1 else z
    rows = {
        f"slant\nr = {r[10]:.2f}": slant,
        "slant,\nno digit": groups["slant, no digit"][0],
        f"width\nr = {r[11]:.2f}": width,
        f"digit 7\nr = {r[7]:.2f}": found[7],
        "random": chance[0],
    }
    picture = save(draw(model, clear[:2], rows), out / "directions.png")
    return {"correlations": correlations, "effects": effects, "figure": picture}


def draw(model: GAN, codes: np.ndarray, rows: dict[str, np.ndarray]) -> Figure:
    """Plot images along some directions, each through the same codes."""
    grid = []
    for label, u in rows.items():
        for code in codes:
            path = [experiment.with_component(code[None], u, value) for value in np.linspace(-3, 3, COLUMNS)]
            grid.append(plots.Row(label, model.inverse_transform(np.concatenate(path))))
    return plots.image_grid(
        grid,
        title="Directions of z, found after training",
        note="from −3 to 3 along a direction, through the same two codes; r: correlation on fresh samples",
        breaks=range(len(codes), len(grid), len(codes)),
    )


if __name__ == "__main__":
    run(main)
