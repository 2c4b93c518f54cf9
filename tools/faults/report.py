"""Run the faults of all kinds, count their outcomes, and write results/faults.json."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import safetensors

import scratchgen
from scratchgen.data.files import write_json
from tools.faults import limits, studies, training
from tools.faults.campaign import LOST, REFUSED, SURVIVED, Campaign, Outcome
from tools.faults.runs import Run

Fault = Callable[[Campaign, Run, np.random.Generator], Outcome]

# For each kind of fault: what happens, how often, and whether this number applies to each run.
KINDS: dict[str, tuple[Fault, int, bool]] = {
    "killed at a random moment": (training.killed, 5, True),
    "killed inside a write": (training.killed_inside_a_write, 5, True),
    "killed three times in a row": (training.killed_again, 10, False),
    "Ctrl-C": (training.interrupted, 24, False),
    "Ctrl-C while the command starts": (limits.interrupted_start, 12, False),
    "SIGTERM": (training.terminated, 12, False),
    "SIGHUP": (training.hung_up, 12, False),
    "several signals in a row": (training.signalled_several_times, 24, False),
    "two processes, the same run": (training.two_writers, 16, False),
    "two processes, different runs": (training.two_runs_in_one_file, 8, False),
    "another run in the file": (training.new_run_over_an_unfinished_one, 6, False),
    "disk full after some bytes": (limits.disk_full, 24, False),
    "disk full, real file system": (limits.small_file_system, 6, False),
    "folder read-only at the start": (limits.read_only_at_start, 6, False),
    "folder read-only during the run": (limits.read_only_during_run, 10, False),
    "folder vanishes": (limits.folder_vanishes, 12, False),
    "limit of the file size": (limits.file_size_limit, 16, False),
    "limit of the memory": (limits.memory_limit, 24, False),
    "clock jumps back": (limits.clock_jumps, 16, False),
    "study killed: reproduce": (studies.reproduce, 12, False),
    "study killed: ood": (studies.ood, 8, False),
    "study killed: classifiers": (studies.classifiers, 8, False),
    "study killed: compare": (studies.compare, 4, False),
}

# A script resumes whatever is in its file; the command compares the settings.
ONLY_COMMANDS = ("two processes, different runs", "another run in the file")
SHORT_COMMAND, SHORT_SCRIPT = "vae, dense", "gan, averaged and watched"     # of --short


def run_all(campaign: Campaign, kinds: list[str], short: bool) -> dict[str, Any]:
    """Try the faults of these kinds; return the counts by kind, and those of the kills by family."""
    counts: dict[str, dict[str, int]] = {}
    families: dict[str, int] = {}
    for kind in kinds:
        fault, times, each = KINDS[kind]
        chosen = short_runs(campaign, kind) if short else chosen_runs(campaign, kind, times, each)
        counts[kind] = dict.fromkeys(("tried", SURVIVED, REFUSED, LOST, "messages"), 0)
        for number, run in enumerate(chosen):
            outcome = fault(campaign, run, campaign.rng(kind, number))
            if outcome is limits.IMPOSSIBLE:
                continue
            counts[kind]["tried"] += 1
            counts[kind][outcome.result] += 1
            counts[kind]["messages"] += outcome.messages
            if fault in (training.killed, training.killed_inside_a_write):
                families[run.family] = families.get(run.family, 0) + 1
            if outcome.result == LOST:
                print(f"LOST: {kind}, fault {number} of {run.name}: {outcome.note}", flush=True)
        print(f"{kind:34}" + "  ".join(f"{name} {n}" for name, n in counts[kind].items()), flush=True)
    return {"kinds": counts, "kills by family": families}


def chosen_runs(campaign: Campaign, kind: str, times: int, each: bool) -> list[Run]:
    """The runs to which faults of this kind happen: every run `times` times, or `times` runs in all."""
    if each:
        return [run for run in campaign.runs for _ in range(times)]
    suitable = [run for run in campaign.runs if run.is_command or kind not in ONLY_COMMANDS]
    order = campaign.rng(kind, 2**31).permutation(len(suitable))
    return [suitable[order[i % len(order)]] for i in range(times)]


def short_runs(campaign: Campaign, kind: str) -> list[Run]:
    """Fast runs. One of them has most kinds of state: two optimisers and callbacks."""
    name = SHORT_COMMAND if kind in ONLY_COMMANDS else SHORT_SCRIPT
    return [run for run in campaign.runs if run.name == name]


def save(found: dict[str, Any], seed: int, path: Path) -> dict[str, int]:
    """Write the counts and the versions of the packages that were used; return the totals."""
    kinds = found["kinds"].values()
    total = {name: sum(counts[name] for counts in kinds) for name in ("tried", SURVIVED, REFUSED, LOST)}
    kills = [counts for kind, counts in found["kinds"].items() if kind.startswith("killed")]
    versions = {
        "python": ".".join(map(str, sys.version_info[:3])),
        **{module.__name__: module.__version__ for module in (np, numba, safetensors, scratchgen)},
        "system": platform.system(),
    }
    total_kills = {"kills of training runs": sum(counts["tried"] for counts in kills)}
    write_json(path, {"command": "make faults", "seed": seed, "total": total | total_kills, **found,
                      "versions": versions})
    return total


