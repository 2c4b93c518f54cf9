"""The comparison as tables, as a page of pictures and as a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.distributions import LOG_2PI
from scratchgen.studies.chapters import table
from scratchgen.studies.compare.likelihood import Likelihood, Space, expect_comparable
from scratchgen.studies.compare.measures import TRUE, Looks, Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Comparison:
    """All that was measured.

    source, seconds, machine : the digits, the budget of each model, what it was spent on
    models : measured, those of one space beside each other
    true   : what true training digits make in place of samples, for each space
    beside : likelihoods of what is no trained model, by name, for each space
    expected : the share of each digit in the test set
    """

    source: str
    seconds: float
    machine: str
    models: tuple[Measured, ...]
    true: dict[Space, Looks]
    beside: dict[Space, dict[str, Likelihood]]
    expected: np.ndarray

    def of(self, space: Space) -> list[Measured]:
        return [m for m in self.models if m.family.space == space]

    def tables(self) -> dict[str, str]:
        """All tables as Markdown, by what each part of the chapter is called.

        Likelihoods stand in one table only where they can be compared; below the tables, which could be.
        """
        likelihoods = [self.likelihood_table(space) for space in self.true]
        lines = [*self.gaps(), *self.pairs()]
        pairs = ["Within a model, and pair by pair:\n", *(f"- {line}" for line in lines)]
        return {
            "likelihoods": "\n\n".join([*likelihoods, "\n".join(pairs)]),
            "ways and costs": self.model_table(),
            "samples": self.looks_table(),
        }

    def likelihood_table(self, space: Space) -> str:
        """The likelihoods of one space. Raises ValueError where two of them can't be compared."""
        rows = [(m.family.name, likelihood) for m in self.of(space) for likelihood in m.likelihoods]
        rows += self.beside[space].items()
        expect_comparable(*(likelihood for _, likelihood in rows))
        what = "log-probability" if space.discrete else "log-density"
        cells = [(name, f"{li.nats:.2f} ± {li.error:.2f}", li.kind, _bits(li)) for name, li in rows]
        return table(f"{space.name} ({space.made})", ("", f"{what}, nats", "kind", "bits/dim"), cells)

    def gaps(self) -> list[str]:
        """What lies between the two figures of a VAE, and what the σ of its Normal pixels allows at most."""
        lines = []
        for m in self.models:
            if len(m.likelihoods) > 1:
                gap = m.likelihoods[0] - m.likelihoods[1]
                lines.append(f"{m.family.name}: {gap:.2f} nats between its two figures")
            if m.std is not None:
                most = -m.family.space.features * (0.5 * LOG_2PI + np.log(m.std))
                lines.append(f"{m.family.name}: σ = {m.std:.4f}, so no density above {most:.0f} nats")
        return lines

    def pairs(self) -> list[str]:
        """A line for each pair of models that can be compared, and for each reason why others can't."""
        lines: list[str] = []
        refused: dict[str, dict[str, list[str]]] = {}           # reason -> model -> with which others
        for a, b in combinations(self.models, 2):
            try:
                nats = a.likelihoods[0] - b.likelihoods[0]
            except ValueError as error:
                reason = str(error).split(": can't compare ")[0]
                refused.setdefault(reason, {}).setdefault(a.family.name, []).append(b.family.name)
            else:
                where = "above" if nats >= 0 else "below"
                lines.append(f"{a.family.name} lies {abs(nats):.2f} nats {where} {b.family.name}")
        for reason, of_models in refused.items():
            names = "; ".join(f"{name} with {' or '.join(others)}" for name, others in of_models.items())
            lines.append(f"not compared, {reason}: {names}")
        return lines

    def model_table(self) -> str:
        """How z and x hang together, and what training, a draw and a way back cost."""
        head = (
            "", "minimises", "z and x", "x → z → x", "z → x → z", "epochs, kept", "s/epoch", "ms/sample",
            "parameters",
        )
        cells = [
            (
                m.family.name, m.family.minimises, m.family.code, _number(m.there_and_back),
                _number(m.code_back), f"{m.epochs}, {m.kept}", f"{m.epoch_seconds:.2f}",
                f"{m.sample_ms:.3f}", f"{m.parameters:,}",
            )
            for m in self.models
        ]
        return table("the way from x to z, and what things cost", head, cells)

    def looks_table(self) -> str:
        """Samples by the judge; below each space true digits in the same form: the best to be hoped for.

        Fréchet distances of two spaces have different test sets: compare each with its true digits'.
        """
        cells = []
        for space, true in self.true.items():
            rows = [(m.family.name, m.looks) for m in self.of(space)]
            for name, looks in [*rows, (f"{TRUE}, {space.name}", true)]:
                cells.append(self._looks(name, looks))
        means = [(f"{m.family.name}: mean images", m.means) for m in self.models]
        cells += [self._looks(name, looks) for name, looks in means if looks is not None]
        head = ("samples", "Fréchet distance", "to nearest in training", "worst share off", "shares 0–9, %")
        return table("what samples look like to the judge", head, cells)

    def _looks(self, name: str, looks: Looks) -> tuple[str, ...]:
        shares = " ".join(f"{100 * share:.0f}" for share in looks.shares.share)
        worst = f"{looks.worst_share(self.expected):.1f} points"
        return name, f"{looks.frechet:.2f}", f"{looks.nearest:.2f}", worst, shares

    def save(self, path: Path) -> Path:
        """Write all numbers to a JSON file, and return its path."""
        found = {
            "digits": self.source,
            "seconds for each model, of the processor": self.seconds,
            "machine": self.machine,
            "spaces": [
                {
                    "space": space.name,
                    "pixels": space.made,
                    TRUE: _looks_json(true, self.expected),
                    "beside": {name: _likelihood_json(li) for name, li in self.beside[space].items()},
                    "models": [_model_json(m, self.expected) for m in self.of(space)],
                }
                for space, true in self.true.items()
            ],
            "test digits, shares": np.round(self.expected, 4).tolist(),
            "tables": {name: text.splitlines() for name, text in self.tables().items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def picture(self) -> Figure:
        """Samples of each model, the training digit nearest to each, and how often each digit is drawn."""
        side, top, gap, left, right = 0.6, 0.72, 0.18, 1.12, 1.36      # inches
        height = top + len(self.models) * (2 * side + gap)
        fig = plots.new_figure(height)
        title = f"Samples, not chosen, after {self.seconds:g} seconds of training each"
        note = "below each the nearest training digit; right: digits read by the judge, %; line: test set"
        fig.text(0.1 / plots.WIDTH, 1 - 0.12 / height, title, fontsize=12, weight="bold", va="top")
        fig.text(0.1 / plots.WIDTH, 1 - 0.40 / height, note, fontsize=9.5, color=plots.GREY, va="top")
        y = height - top
        for m in self.models:
            label = fill(f"{m.family.name} ({m.family.space.name})", 13, break_on_hyphens=False)
            fig.text(
                0.1 / plots.WIDTH, (y - side) / height, label,
                fontsize=9, color=plots.TEXT, va="center", linespacing=1.3,
            )
            for row, images in enumerate((m.samples, m.neighbours)):
                for c, pixels in enumerate(images):
                    x0, y0 = left + c * side + 0.02, y - (row + 1) * side + 0.02
                    size = side - 0.04
                    ax = fig.add_axes((x0 / plots.WIDTH, y0 / height, size / plots.WIDTH, size / height))
                    ax.imshow(pixels.reshape(28, 28), cmap="gray", vmin=0, vmax=1)
                    ax.set_axis_off()
            box = (plots.WIDTH - right + 0.2, y - 2 * side + 0.2, right - 0.3, 2 * side - 0.3)
            ax = fig.add_axes((box[0] / plots.WIDTH, box[1] / height, box[2] / plots.WIDTH, box[3] / height))
            ax.bar(range(10), 100 * m.looks.shares.share, color=plots.LINES[0][0], width=0.8)
            ax.step(np.arange(11) - 0.5, 100 * np.append(self.expected, self.expected[-1]), where="post",
                    color=plots.LINES[1][0], linewidth=1)
            ax.set_xticks(range(10))
            ax.tick_params(labelsize=7.5, length=2, color="#bbbbbb")
            ax.spines[["top", "right"]].set_visible(False)
            y -= 2 * side + gap
        return fig


def _bits(likelihood: Likelihood) -> str:
    return "none" if likelihood.bits is None else f"{likelihood.bits:.3f}"


def _number(value: float | None) -> str:
    return "no z" if value is None else f"{value:.3g}"


def _likelihood_json(likelihood: Likelihood) -> dict[str, Any]:
    bits = likelihood.bits
    return {
        "nats": round(likelihood.nats, 3),
        "standard error": round(likelihood.error, 3),
        "kind": likelihood.kind,
        "bits per dimension": None if bits is None else round(bits, 4),
    }


def _looks_json(looks: Looks, expected: np.ndarray) -> dict[str, Any]:
    return {
        "Fréchet distance": round(looks.frechet, 3),
        "median distance to the nearest training digit": round(looks.nearest, 3),
        "worst share, points from the test set's": round(looks.worst_share(expected), 2),
        "shares": np.round(looks.shares.share, 4).tolist(),
        "standard errors": np.round(looks.shares.error, 4).tolist(),
    }


def _model_json(m: Measured, expected: np.ndarray) -> dict[str, Any]:
    return {
        "model": m.family.name,
        "family": m.family.family,
        "minimises": m.family.minimises,
        "z": m.family.code,
        "likelihoods": [_likelihood_json(li) for li in m.likelihoods],
        "x to z to x, squared error per digit": m.there_and_back,
        "z to x to z, squared error over variance": m.code_back,
        "epochs": m.epochs,
        "weights of epoch": m.kept,
        "seconds per epoch": round(m.epoch_seconds, 4),
        "milliseconds per sample": round(m.sample_ms, 4),
        "parameters": m.parameters,
        "std of its Normal pixels": m.std,
        "samples": _looks_json(m.looks, expected),
        "mean images": None if m.means is None else _looks_json(m.means, expected),
    }
