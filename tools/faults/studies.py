"""Faults of studies: a kill at a random moment. Parts that were finished must not be measured again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scratchgen import cli
from scratchgen.studies.parts import Parts
from tools.faults import child
from tools.faults.campaign import LOST, SURVIVED, Campaign, Outcome, Place
from tools.faults.runs import Run

ATTEMPTS = 20
DURATIONS = ("seconds", "ms", "machine")    # parts of the names of results that differ from run to run


def reproduce(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """`study reproduce` of a narrow model, continued with --resume."""
    name = str(rng.choice(["autoencoder", "made", "nice"]))
    arguments = ["study", "reproduce", name, "--epochs", "6"]
    run_file = Path(f"runs/reproduce-{name}.safetensors")

    def again(folder: Path) -> list[str]:
        return arguments + ["--resume"] * (folder / run_file).is_file()

    return killed(campaign, f"reproduce {name}", again, rng, Path(f"results/{name}-6-epochs.json"))


def ood(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """`study ood` of a few cells."""
    arguments = ["study", "ood", "--protocol", "without", "--seeds", "1", "--models", "pca", "intensity"]
    return killed(campaign, "ood", lambda _: arguments, rng, Path("results/ood-part.json"))


def classifiers(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """`study classifiers`, which must keep the results of an earlier study until it is complete."""
    return killed(
        campaign, "classifiers", lambda _: ["study", "classifiers"], rng, Path("results/classifiers.json")
    )


def compare(campaign: Campaign, run: Run, rng: np.random.Generator) -> Outcome:
    """`study compare`. Only the names of the models can be compared, because training is limited by time."""
    arguments = ["study", "compare", "--seconds", "0.05"]
    result = Path("results/compare-0.05-seconds.json")
    return killed(campaign, "compare", lambda _: arguments, rng, result, exact=False)


def killed(
    campaign: Campaign,
    name: str,
    arguments: Callable[[Path], list[str]],
    rng: np.random.Generator,
    result: Path,
    exact: bool = True,
) -> Outcome:
    """Kill a study at a random moment and repeat it.

    The result must be that of an undisturbed study, and no complete file may have been written again.
    """
    seconds, expected = undisturbed(campaign, name, arguments, result)
    until = seconds
    for _ in range(ATTEMPTS):
        place = campaign.place()
        process = child.Child(study(place, arguments), place.log())
        time.sleep(rng.uniform(0.05, 1) * until)
        process.signal(signal.SIGKILL)
        if process.wait().code == -signal.SIGKILL:
            break
        until *= 0.9
        place.remove()
    else:
        return Outcome(LOST, f"{name} ended before the kill in {ATTEMPTS} attempts")
    before = parts(place)
    ended = child.run(study(place, arguments), place.log())
    if ended.code != 0:
        return Outcome(LOST, f"{name} cannot be continued: {ended.last_lines}")
    found = without_durations(json.loads((place.run / result).read_text(encoding="utf-8")))
    if found != expected if exact else set(found) != set(expected):
        return Outcome(LOST, f"{name}: other results than those of an undisturbed study")
    after = parts(place)
    lost = [path for path, kept in before.items() if after.get(path) != kept]
    if lost:
        return Outcome(LOST, f"{name}: {', '.join(lost)} was complete, and was made again")
    place.remove()
    return Outcome(SURVIVED)


def undisturbed(
    campaign: Campaign, name: str, arguments: Callable[[Path], list[str]], result: Path
) -> tuple[float, Any]:
    """(seconds, results without durations) of a study that is not killed. It runs only once."""
    if name not in campaign.studies:
        for _ in range(2):      # the first one may compile kernels
            place = campaign.place()
            ended = child.run(study(place, arguments), place.log())
            if ended.code != 0:
                raise RuntimeError(f"an undisturbed study ended with {ended.code}: {ended.text[-2000:]}")
            found = without_durations(json.loads((place.run / result).read_text(encoding="utf-8")))
            place.remove()
        campaign.studies[name] = ended.seconds, found
    return campaign.studies[name]


def study(place: Place, arguments: Callable[[Path], list[str]]) -> Callable[[], int]:
    """Start a process that runs a study in the folder of a fault."""

    def work() -> int:
        os.chdir(place.run)
        Parts.remove = lambda parts: None  # type: ignore[method-assign]  # so that `parts` can look at them
        return cli.main(arguments(place.run))

    return work


def parts(place: Place) -> dict[str, int]:
    """The files in runs/ with finished parts of a study, and the times when they were changed."""
    found = {}
    for path in (place.run / "runs").rglob("*.json"):
        found[os.fspath(path.relative_to(place.run))] = path.stat().st_mtime_ns
    return found


def without_durations(value: Any) -> Any:
    """A value of JSON without durations."""
    if isinstance(value, dict):
        return {
            key: without_durations(item)
            for key, item in value.items()
            if not any(word in key for word in DURATIONS)
        }
    return [without_durations(item) for item in value] if isinstance(value, list) else value


