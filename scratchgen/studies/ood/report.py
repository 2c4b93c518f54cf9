"""The cells as tables, as a picture and as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.studies.chapters import table
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.protocols import CONTROLS, PROTOCOLS
from scratchgen.studies.ood.scores import KINDS, detector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of other people's models on the full set: title -> AUROC of the digits 0 to 9.
TONNAER = {
    "published: VAE, code of 2 (Tonnaer, table 3.3)": (.96, .73, .97, .94, .73, .92, .95, .77, .92, .66),
    "published: VAE, code of 32 (same)": (.81, .09, .92, .87, .78, .86, .87, .51, .89, .58),
}
DEEP_SVDD = "published, mean of all digits: Deep SVDD", 0.948
MEANS = ("home", "foreign", *CONTROLS)


@dataclass(frozen=True)
class Row:
    """One score of one model under one protocol.

    auroc (S, D), of S seeds and D digits;  controls : name -> (S, D)
    means, spreads : group -> mean and standard deviation of the score itself, (S, D)
    """

    model: str
    kind: str
    auroc: np.ndarray
    controls: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]

    @property
    def title(self) -> str:
        return f"{detector(self.model).title}: {self.kind}"


@dataclass(frozen=True)
class Found:
    """All that was measured: cells by (protocol, digit, model, seed), as `cells.measure` returns them."""

    plan: Plan
    source: str
    machine: str
    cells: dict[tuple[str, int, str, int], dict[str, Any]]

    def rows(self, protocol: str) -> list[Row]:
        return [
            Row(
                name,
                kind,
                self._grid(protocol, name, "auroc", kind),
                {c: self._grid(protocol, name, "controls", kind, c) for c in CONTROLS},
                {g: self._grid(protocol, name, "means", kind, g) for g in MEANS},
                {g: self._grid(protocol, name, "spreads", kind, g) for g in MEANS},
            )
            for name in self.plan.models
            for kind in detector(name).kinds()
        ]

    def _grid(self, protocol: str, model: str, *keys: str) -> np.ndarray:
        """One number of every cell of a model, (S, D)."""

        def number(cell: Any) -> float:
            for key in keys:
                cell = cell[key]
            return float(cell)

        seeds = range(self.plan.seeds)
        return np.array(
            [[number(self.cells[protocol, d, model, s]) for d in self.plan.digits] for s in seeds]
        )

    def tables(self) -> str:
        """All tables as Markdown."""
        parts = []
        for protocol in self.plan.protocols:
            parts += [self.matrix(protocol), self.control_table(protocol)]
        return "\n\n".join([*parts, self.overview()])

    def matrix(self, protocol: str) -> str:
        """AUROC of each score (rows) and digit (columns): the mean of the seeds ± half their range."""
        cells = [
            (row.title, *(_spread(column) for column in row.auroc.T), _spread(row.auroc.mean(axis=1)))
            for row in self.rows(protocol)
        ]
        if protocol == "without":
            for title, values in TONNAER.items():
                some = [values[d] for d in self.plan.digits]
                cells.append((title, *(_short(v) for v in some), _short(float(np.mean(some)))))
        else:
            title, value = DEEP_SVDD
            cells.append((title, *["–"] * len(self.plan.digits), f"{value:.3f}"))
        head = ("", *map(str, self.plan.digits), "mean")
        return table(f"AUROC, {PROTOCOLS[protocol]}, ± half the range of the seeds", head, cells)

    def control_table(self, protocol: str) -> str:
        """How often a control scores above a digit at home, mean of all digits and seeds."""
        cells = [
            (row.title, *(_short(float(row.controls[c].mean())) for c in CONTROLS))
            for row in self.rows(protocol)
        ]
        title = f"controls, AUROC against digits at home, {PROTOCOLS[protocol]}"
        return table(title, ("", *CONTROLS), cells)

    def overview(self) -> str:
        """Means of all digits, models by scores; a dash where a model lacks a score, and below it why."""
        protocols = self.plan.protocols
        found = {p: {(r.model, r.kind): float(r.auroc.mean()) for r in self.rows(p)} for p in protocols}
        kinds = [k for k in KINDS if any(k in detector(name).kinds() for name in self.plan.models)]
        cells, reasons = [], []
        for name in self.plan.models:
            judge, line = detector(name), []
            for kind in kinds:
                values = [_short(found[p][name, kind]) for p in protocols if kind in judge.kinds()]
                line.append(" / ".join(values) or "–")
            cells.append((judge.title, *line))
            of_reason: dict[str, list[str]] = {}
            for kind in kinds:
                if kind in judge.lacks:
                    of_reason.setdefault(judge.lacks[kind], []).append(kind)
            why = "; ".join(f"no {' or '.join(lacks)}, as {reason}" for reason, lacks in of_reason.items())
            reasons += [f"- {judge.title}: {why}"] * bool(why)
        means = table(f"mean AUROC, {' / '.join(protocols)}", ("", *kinds), cells)
        return means + "\n\n" + "\n".join(reasons)

    def seconds(self) -> float:
        """Of the processor, for all cells."""
        return float(sum(cell["seconds"] for cell in self.cells.values()))

    def save(self, path: Path) -> Path:
        """Write all numbers to a JSON file, whole or not at all, and return its path."""
        found = {
            "digits": self.source,
            "machine": self.machine,
            "seconds of the processor": round(self.seconds(), 1),
            "tested on": list(self.plan.digits),
            "seeds": self.plan.seeds,
            "effort": self.plan.effort,
            "protocols": {
                protocol: {"means": PROTOCOLS[protocol], "rows": [_row_json(r) for r in self.rows(protocol)]}
                for protocol in self.plan.protocols
            },
            "published": {
                "without": {title: list(values) for title, values in TONNAER.items()},
                "only": {DEEP_SVDD[0]: DEEP_SVDD[1]},
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(beside, path)
        return path

    def picture(self) -> Figure:
        """The matrix in colours: blue where a score finds the foreign, red where it takes it for home."""
        of_protocols = {protocol: self.rows(protocol) for protocol in self.plan.protocols}
        rows = len(next(iter(of_protocols.values())))
        left, right, top, head, line, foot = 2.75, 0.1, 0.72, 0.62, 0.205, 0.12        # inches
        height = top + len(of_protocols) * (head + rows * line) + foot
        fig = plots.new_figure(height)
        title = "How often a score rates a foreign image above a digit at home (AUROC, %)"
        note = "50 is chance, red the wrong way round; columns: the digit, the mean, and four controls"
        fig.text(0.1 / plots.WIDTH, 1 - 0.12 / height, title, fontsize=12, weight="bold", va="top")
        fig.text(0.1 / plots.WIDTH, 1 - 0.40 / height, note, fontsize=9.5, color=plots.GREY, va="top")
        y = height - top
        for protocol, shown in of_protocols.items():
            y -= head + rows * line
            box = (left / plots.WIDTH, y / height, (plots.WIDTH - left - right) / plots.WIDTH)
            ax = fig.add_axes((*box, rows * line / height))
            self._draw(ax, shown)
            where = (y + rows * line + 0.36) / height
            fig.text(
                0.1 / plots.WIDTH, where, PROTOCOLS[protocol].capitalize(), fontsize=10.5, color=plots.TEXT
            )
        return fig

    def _draw(self, ax: Any, rows: Sequence[Row]) -> None:
        digits = len(self.plan.digits)
        percent = np.array([
            [*r.auroc.mean(axis=0), r.auroc.mean(), *(r.controls[c].mean() for c in CONTROLS)] for r in rows
        ]) * 100
        ax.imshow(percent, cmap="RdBu", vmin=0, vmax=100, aspect="auto")
        for (i, j), value in np.ndenumerate(percent):
            colour = "white" if abs(value - 50) > 33 else plots.TEXT
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
        ax.set_xticks(range(digits + 1 + len(CONTROLS)), [*map(str, self.plan.digits), "mean", *CONTROLS])
        ax.set_yticks(range(len(rows)), [row.title for row in rows])
        ax.tick_params(axis="x", labelsize=7.5)
        ax.tick_params(axis="y", labelsize=8)
        ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        for place in (digits - 0.5, digits + 0.5):
            ax.axvline(place, color="white", linewidth=3)
        for i in range(1, len(rows)):
            if rows[i].model != rows[i - 1].model:
                ax.axhline(i - 0.5, color="white", linewidth=2)
        ax.spines[:].set_visible(False)


def _short(value: float) -> str:
    """Two decimals, without the zero before the point."""
    return f"{value:.2f}".removeprefix("0")


def _spread(of_seeds: np.ndarray) -> str:
    """Mean ± half the range; the mean alone where there is one seed."""
    mean = _short(float(of_seeds.mean()))
    return mean if len(of_seeds) == 1 else f"{mean}±{_short(float(np.ptp(of_seeds)) / 2)}"


def _row_json(row: Row) -> dict[str, Any]:
    """Of the score itself the mean over digits and seeds; of AUROC every seed and digit."""
    return {
        "model": detector(row.model).title,
        "score": row.kind,
        "AUROC, seeds by digits": np.round(row.auroc, 4).tolist(),
        "controls, seeds by digits": {c: np.round(v, 4).tolist() for c, v in row.controls.items()},
        "mean score, seeds by digits": {g: np.round(v, 2).tolist() for g, v in row.means.items()},
        "its standard deviation, seeds by digits": {
            g: np.round(v, 2).tolist() for g, v in row.spreads.items()
        },
    }
