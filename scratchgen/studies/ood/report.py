"""Write the cells as tables, as a figure and as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data.files import write_json
from scratchgen.data.records import read_json
from scratchgen.data.untrusted import refusing_damage
from scratchgen.studies.chapters import table
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.detectors import detector, detectors
from scratchgen.studies.ood.protocols import CONTROLS, PROTOCOLS
from scratchgen.studies.ood.scores import SCORES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Published results on the full set: title -> AUROC of the digits 0 to 9.
TONNAER = {
    "published: VAE, code of 2 (Tonnaer, table 3.3)": (.96, .73, .97, .94, .73, .92, .95, .77, .92, .66),
    "published: VAE, code of 32 (same)": (.81, .09, .92, .87, .78, .86, .87, .51, .89, .58),
}
DEEP_SVDD = "published, mean of all digits: Deep SVDD", 0.948
GROUPS = ("known", "ood", *CONTROLS)
Cells = Mapping[tuple[str, int, str, int], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One score of one model under one protocol.

    auroc : (S, D), of S seeds and D digits;  controls : name -> AUROC of a control, (S, D)
    means, spreads : group -> mean and standard deviation of the score itself, (S, D)
    """

    model: str
    score: str
    auroc: np.ndarray
    controls: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]

    @property
    def title(self) -> str:
        """The model and the score, for a table."""
        return f"{detector(self.model).title}: {self.score}"


def rows_of(plan: Plan, protocol: str, cells: Cells) -> list[Row]:
    """The rows of one protocol, from cells as `cells.measure` returns them."""

    def grid(model: str, *keys: str) -> np.ndarray:
        """One number of every cell of a model, (S, D)."""

        def number(seed: int, digit: int) -> float:
            value: Any = cells[protocol, digit, model, seed]
            for key in keys:
                value = value[key]
            return float(value)

        return np.array([[number(seed, digit) for digit in plan.digits] for seed in range(plan.seeds)])

    return [
        Row(
            model=model,
            score=score,
            auroc=grid(model, "auroc", score),
            controls={c: grid(model, "controls", score, c) for c in CONTROLS},
            means={g: grid(model, "means", score, g) for g in GROUPS},
            spreads={g: grid(model, "spreads", score, g) for g in GROUPS},
        )
        for model in plan.models
        for score in detector(model).score_names()
    ]


@dataclass(frozen=True, kw_only=True)
class Result:
    """All results: protocol -> a row for each score of each model.

    source, machine, seconds : the digits, the machine and its processor time
    digits, seeds, effort : of the plan
    """

    source: str
    machine: str
    seconds: float
    digits: tuple[int, ...]
    seeds: int
    effort: float
    rows: Mapping[str, Sequence[Row]]

    @property
    def models(self) -> list[str]:
        """The names of the models, in the order of the rows."""
        return list(dict.fromkeys(row.model for rows in self.rows.values() for row in rows))

    def tables(self) -> str:
        """All tables as Markdown."""
        parts = []
        for protocol in self.rows:
            parts += [self.matrix(protocol), self.control_table(protocol)]
        return "\n\n".join([*parts, self.overview()])

    def matrix(self, protocol: str) -> str:
        """AUROC of each score (rows) and digit (columns): the mean of the seeds ± half their range."""
        cells = [
            (row.title, *(_spread(column) for column in row.auroc.T), _spread(row.auroc.mean(axis=1)))
            for row in self.rows[protocol]
        ]
        if protocol == "without":
            for title, values in TONNAER.items():
                some = [values[d] for d in self.digits]
                cells.append((title, *(_short(v) for v in some), _short(float(np.mean(some)))))
        else:
            title, value = DEEP_SVDD
            cells.append((title, *["–"] * len(self.digits), f"{value:.3f}"))
        head = ("", *map(str, self.digits), "mean")
        return table(f"AUROC, {PROTOCOLS[protocol]}, ± half the range of the seeds", head, cells)

    def control_table(self, protocol: str) -> str:
        """The AUROC of each control image against known digits, mean of all digits and seeds."""
        cells = [
            (row.title, *(_short(float(row.controls[c].mean())) for c in CONTROLS))
            for row in self.rows[protocol]
        ]
        title = f"control images, AUROC against known digits, {PROTOCOLS[protocol]}"
        return table(title, ("", *CONTROLS), cells)

    def overview(self) -> str:
        """Means of all digits, models by scores. A dash marks a score that a model does not have, and the
        reasons are below the table.
        """
        means = [{(r.model, r.score): float(r.auroc.mean()) for r in rows} for rows in self.rows.values()]
        scores = [s for s in SCORES if any(s in detector(name).score_names() for name in self.models)]
        cells, reasons = [], []
        for name in self.models:
            used, line = detector(name), []
            for score in scores:
                values = [_short(of[name, score]) for of in means if (name, score) in of]
                line.append(" / ".join(values) or "–")
            cells.append((used.title, *line))
            by_reason: dict[str, list[str]] = {}
            for score in scores:
                if score in used.lacks:
                    by_reason.setdefault(used.lacks[score], []).append(score)
            if by_reason:
                why = (f"no {_any_of(lacks)} score because {reason}" for reason, lacks in by_reason.items())
                reasons.append(f"- {used.title}: {'; '.join(why)}")
        text = table(f"mean AUROC, {' / '.join(self.rows)}", ("", *scores), cells)
        return text + "\n\n" + "\n".join(reasons)

    def as_json(self) -> dict[str, Any]:
        """All numbers, for a JSON file."""
        return {
            "digits": self.source,
            "machine": self.machine,
            "seconds of the processor": round(self.seconds, 1),
            "tested on": list(self.digits),
            "seeds": self.seeds,
            "effort": self.effort,
            "protocols": {
                protocol: {"means": PROTOCOLS[protocol], "rows": [_row_json(r) for r in rows]}
                for protocol, rows in self.rows.items()
            },
            "published": {
                "without": {title: list(values) for title, values in TONNAER.items()},
                "only": {DEEP_SVDD[0]: DEEP_SVDD[1]},
            },
        }

    def save(self, path: Path) -> Path:
        """Write all numbers to a JSON file, and return its path."""
        return write_json(path, self.as_json())

    def figure(self) -> Figure:
        """The matrix in colours: blue if OOD images score above known digits, red if below."""
        rows = len(next(iter(self.rows.values())))
        left, right, top, head, line, foot = 2.75, 0.1, 0.72, 0.62, 0.205, 0.12        # inches
        height = top + len(self.rows) * (head + rows * line) + foot
        fig = plots.new_figure(height)
        title = "How often an OOD image scores above a known digit (AUROC, %)"
        note = "50 is chance, red is the wrong way round; columns: the digit, the mean, four control images"
        fig.text(0.1 / plots.WIDTH, 1 - 0.12 / height, title, fontsize=12, weight="bold", va="top")
        fig.text(0.1 / plots.WIDTH, 1 - 0.40 / height, note, fontsize=9.5, color=plots.GREY, va="top")
        y = height - top
        for protocol, shown in self.rows.items():
            y -= head + rows * line
            box = (left / plots.WIDTH, y / height, (plots.WIDTH - left - right) / plots.WIDTH)
            ax = fig.add_axes((*box, rows * line / height))
            self._plot(ax, shown)
            where = (y + rows * line + 0.36) / height
            title = PROTOCOLS[protocol][0].upper() + PROTOCOLS[protocol][1:]
            fig.text(0.1 / plots.WIDTH, where, title, fontsize=10.5, color=plots.TEXT)
        return fig

    def _plot(self, ax: Any, rows: Sequence[Row]) -> None:
        digits = len(self.digits)
        percent = np.array([
            [*r.auroc.mean(axis=0), r.auroc.mean(), *(r.controls[c].mean() for c in CONTROLS)] for r in rows
        ]) * 100
        ax.imshow(percent, cmap="RdBu", vmin=0, vmax=100, aspect="auto")
        for (i, j), value in np.ndenumerate(percent):
            colour = "white" if abs(value - 50) > 33 else plots.TEXT
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
        ax.set_xticks(range(digits + 1 + len(CONTROLS)), [*map(str, self.digits), "mean", *CONTROLS])
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


def _any_of(words: list[str]) -> str:
    """The words in a sentence: "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _short(value: float) -> str:
    """Two decimals, without the zero before the point: .73."""
    return f"{value:.2f}".removeprefix("0")


def _spread(of_seeds: np.ndarray) -> str:
    """Mean ± half the range; the mean alone for one seed."""
    mean = _short(float(of_seeds.mean()))
    return mean if len(of_seeds) == 1 else f"{mean}±{_short(float(np.ptp(of_seeds)) / 2)}"


def _row_json(row: Row) -> dict[str, Any]:
    """AUROC for every seed and digit, and the mean and the standard deviation of the score itself."""
    return {
        "model": detector(row.model).title,
        "score": row.score,
        "AUROC, seeds by digits": np.round(row.auroc, 4).tolist(),
        "controls, seeds by digits": {c: np.round(v, 4).tolist() for c, v in row.controls.items()},
        "mean score, seeds by digits": {g: np.round(v, 2).tolist() for g, v in row.means.items()},
        "its standard deviation, seeds by digits": {
            g: np.round(v, 2).tolist() for g, v in row.spreads.items()
        },
    }


def _row(found: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    """The row of an entry in a file; names : title of a model -> its name."""

    def arrays(key: str) -> dict[str, np.ndarray]:
        return {name: np.array(values) for name, values in found[key].items()}

    if found["model"] not in names:
        raise ValueError(f"the results have a model {found['model']!r} that no card lists")
    return Row(
        model=names[found["model"]],
        score=found["score"],
        auroc=np.array(found["AUROC, seeds by digits"]),
        controls=arrays("controls, seeds by digits"),
        means=arrays("mean score, seeds by digits"),
        spreads=arrays("its standard deviation, seeds by digits"),
    )


def read(path: Path) -> Result:
    """The result that `Result.save` wrote. Raises ValueError for a model that no card lists."""
    with refusing_damage(str(path), "the results of `scratchgen study ood`"):
        found = read_json(path)
        names = {detector.title: name for name, detector in detectors().items()}
        return Result(
            source=found["digits"],
            machine=found["machine"],
            seconds=found["seconds of the processor"],
            digits=tuple(found["tested on"]),
            seeds=found["seeds"],
            effort=found["effort"],
            rows={p: [_row(row, names) for row in part["rows"]] for p, part in found["protocols"].items()},
        )
