"""Write the comparison as tables, as a figure and as a file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchgen import plots
from scratchgen.data.files import write_json
from scratchgen.distributions import LOG_2PI
from scratchgen.metrics.samples import SampleQuality
from scratchgen.studies.chapters import table
from scratchgen.studies.compare.likelihood import Likelihood, expect_comparable
from scratchgen.studies.compare.measures import TRUE, Measured
from scratchgen.studies.spaces import Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All results of a comparison.

    source, seconds, machine : the digits, the training time of each model, and the machine
    epochs    : the length of training of each model, if it is given in epochs and not in seconds
    models    : one entry for each contender
    true      : the quality of true training digits in place of samples, for each space
    baselines : likelihoods without a trained model, by name, for each space
    expected  : the share of each digit in the test set, (10,)
    """

    source: str
    seconds: float
    machine: str
    models: tuple[Measured, ...]
    true: dict[Space, SampleQuality]
    baselines: dict[Space, dict[str, Likelihood]]
    expected: np.ndarray
    epochs: int | None = None

    @property
    def length(self) -> str:
        """How long each model was trained, as text."""
        return f"{self.seconds:g} seconds" if self.epochs is None else f"{self.epochs} epochs"

    def of(self, space: Space) -> list[Measured]:
        """The models whose likelihood describes data of this space."""
        return [m for m in self.models if m.contender.space == space]

    def tables(self) -> dict[str, str]:
        """All tables as Markdown, by the name of their place in the chapter.

        Only comparable likelihoods are in one table. The lines below the tables say which ones are.
        """
        likelihoods = [self.likelihood_table(space) for space in self.true]
        lines = [*self.gaps(), *self.pairs()]
        pairs = ["Within a model, and pair by pair:\n", *(f"- {line}" for line in lines)]
        return {
            "likelihoods": "\n\n".join([*likelihoods, "\n".join(pairs)]),
            "ways and costs": self.model_table(),
            "samples": self.sample_table(),
        }

    def likelihood_table(self, space: Space) -> str:
        """The likelihoods of one space. Raises ValueError if two of them are not comparable."""
        rows = [(m.contender.name, likelihood) for m in self.of(space) for likelihood in m.likelihoods]
        rows += self.baselines[space].items()
        expect_comparable(*(likelihood for _, likelihood in rows))
        what = "log-probability" if space.discrete else "log-density"
        cells = [(name, f"{li.nats:.2f} ± {li.error:.2f}", li.kind, _bits(li)) for name, li in rows]
        return table(f"{space.name} ({space.made})", ("", f"{what}, nats", "kind", "bits/dim"), cells)

    def gaps(self) -> list[str]:
        """The gap between two likelihoods of a model, and the largest density that Normal pixels allow."""
        lines = []
        for m in self.models:
            if len(m.likelihoods) > 1:
                first, second, *_ = m.likelihoods
                kinds = f"{first.kind} and {second.kind}"
                lines.append(f"{m.contender.name}: {first - second:.2f} nats between {kinds}")
            if m.std is not None:
                most = -m.contender.space.features * (0.5 * LOG_2PI + np.log(m.std))
                lines.append(f"{m.contender.name}: σ = {m.std:.4f}, so no density is above {most:.0f} nats")
        return lines

    def pairs(self) -> list[str]:
        """A line for each pair of comparable models, and one for each reason why others are not."""
        lines: list[str] = []
        refused: dict[str, dict[str, list[str]]] = {}           # reason -> model -> other models
        for a, b in combinations(self.models, 2):
            try:
                nats = a.likelihoods[0] - b.likelihoods[0]
            except ValueError as error:
                reason = str(error).split(": cannot compare ")[0]
                refused.setdefault(reason, {}).setdefault(a.contender.name, []).append(b.contender.name)
            else:
                where = "above" if nats >= 0 else "below"
                lines.append(f"{a.contender.name} is {abs(nats):.2f} nats {where} {b.contender.name}")
        for reason, of_models in refused.items():
            names = "; ".join(f"{name} with {' or '.join(others)}" for name, others in of_models.items())
            lines.append(f"not compared, {reason}: {names}")
        return lines

    def model_table(self) -> str:
        """How z and x are related, and the cost of training and of a sample."""
        head = (
            "", "minimises", "z and x", "x → z → x", "z → x → z", "epochs, kept", "s/epoch", "ms/sample",
            "parameters",
        )
        cells = [
            (
                m.contender.name, m.contender.minimises, m.contender.relation, _number(m.reconstruction),
                _number(m.code_recovery), f"{m.epochs}, {m.kept}", f"{m.epoch_seconds:.2f}",
                f"{m.sample_ms:.3f}", f"{m.parameters:,}",
            )
            for m in self.models
        ]
        return table("latent codes and costs", head, cells)

    def sample_table(self) -> str:
        """The quality of samples. The last row of each space has true digits, the best possible result.

        Fréchet distances of two spaces have different test sets, so compare each with that of its true
        digits.
        """
        cells = []
        for space, true in self.true.items():
            rows = [(m.contender.name, m.quality) for m in self.of(space)]
            rows.append((f"{TRUE}, {space.name}", true))
            cells += [_quality_row(name, quality) for name, quality in rows]
        cells += [
            _quality_row(f"{m.contender.name}: mean images", m.mean_images)
            for m in self.models
            if m.mean_images is not None
        ]
        head = ("samples", "Fréchet distance", "to nearest in training", "worst share off", "shares 0–9, %")
        return table("samples, as the digit classifier reads them", head, cells)

    def as_json(self) -> dict[str, Any]:
        """All numbers, for a JSON file."""
        return {
            "digits": self.source,
            **(
                {"seconds for each model, of the processor": self.seconds}
                if self.epochs is None
                else {"epochs for each model": self.epochs}
            ),
            "machine": self.machine,
            "spaces": [
                {
                    "space": space.name,
                    "pixels": space.made,
                    TRUE: _quality_json(true),
                    "baselines": {name: _likelihood_json(li) for name, li in self.baselines[space].items()},
                    "models": [_model_json(m) for m in self.of(space)],
                }
                for space, true in self.true.items()
            ],
            "test digits, shares": np.round(self.expected, 4).tolist(),
            "tables": {name: text.splitlines() for name, text in self.tables().items()},
        }

    def save(self, path: Path) -> Path:
        """Write all numbers to a JSON file, and return its path."""
        return write_json(path, self.as_json())

    def figure(self) -> Figure:
        """Samples of each model, the nearest training digit to each, and the share of each digit."""
        side, top, gap, left, right = 0.6, 0.72, 0.18, 1.12, 1.36      # inches
        height = top + len(self.models) * (2 * side + gap)
        fig = plots.new_figure(height)
        title = f"Samples, not selected, after {self.length} of training each"
        note = "below each sample: the nearest training digit; right: share of each digit, %; line: test set"
        fig.text(0.1 / plots.WIDTH, 1 - 0.12 / height, title, fontsize=12, weight="bold", va="top")
        fig.text(0.1 / plots.WIDTH, 1 - 0.40 / height, note, fontsize=9.5, color=plots.GREY, va="top")
        y = height - top
        for m in self.models:
            label = fill(f"{m.contender.name} ({m.contender.space.name})", 13, break_on_hyphens=False)
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
            ax.bar(range(10), 100 * m.quality.shares.share, color=plots.LINES[0][0], width=0.8)
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


def _quality_row(name: str, quality: SampleQuality) -> tuple[str, ...]:
    shares = " ".join(f"{100 * share:.0f}" for share in quality.shares.share)
    worst = f"{quality.worst_share:.1f} points"
    return name, f"{quality.frechet:.2f}", f"{quality.nearest:.2f}", worst, shares


def _quality_json(quality: SampleQuality) -> dict[str, Any]:
    return {
        "Fréchet distance": round(quality.frechet, 3),
        "median distance to the nearest training digit": round(quality.nearest or 0.0, 3),
        "worst share, points from the test set's": round(quality.worst_share, 2),
        "shares": np.round(quality.shares.share, 4).tolist(),
        "standard errors": np.round(quality.shares.error, 4).tolist(),
    }


def _model_json(m: Measured) -> dict[str, Any]:
    return {
        "model": m.contender.name,
        "family": m.contender.family,
        "minimises": m.contender.minimises,
        "z": m.contender.relation,
        "likelihoods": [_likelihood_json(li) for li in m.likelihoods],
        "x to z to x, squared error per digit": m.reconstruction,
        "z to x to z, squared error over variance": m.code_recovery,
        "epochs": m.epochs,
        "weights of epoch": m.kept,
        "seconds per epoch": round(m.epoch_seconds, 4),
        "milliseconds per sample": round(m.sample_ms, 4),
        "parameters": m.parameters,
        "std of its Normal pixels": m.std,
        "samples": _quality_json(m.quality),
        "mean images": None if m.mean_images is None else _quality_json(m.mean_images),
    }
