"""What notebooks display: figures, tables of layers and epochs, and the progress bar, without Jupyter."""

import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.tiny_run import tiny_trainer

from scratchgen import Linear, Sequential, SiLU, kernels, plots
from scratchgen.html_table import html_table
from scratchgen.training.callbacks import ProgressBar
from scratchgen.training.history import SHOWN, History


class Cells(HTMLParser):
    """The rows of a table, each with the texts of its cells. Each tag must be closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open, self.caption = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data


def test_texts_of_a_table_are_escaped():
    text = html_table("a & b", ["<x>"], [["1 < 2"]], foot=["<script>"])
    assert "<script>" not in text and "a &amp; b" in text
    cells = Cells(text)
    assert cells.caption == "a & b" and cells.rows == [["<x>"], ["1 < 2"], ["<script>"]]


def test_figure_displays_itself():
    for fig in (
        plots.image_grid([plots.Row("a", np.zeros((2, 4)))], title="b"),
        plots.curves(tiny_trainer(epochs=1).run()),
    ):
        assert fig._repr_png_().startswith(b"\x89PNG")


def test_summary_is_a_table_with_the_same_rows():
    net = Sequential(Linear(3, 4, rng=0), SiLU(), Linear(4, 1000, rng=0))
    cells = Cells(net.summary()._repr_html_())
    assert cells.caption == "Sequential" and cells.rows[0] == list(net.summary().HEAD)
    assert cells.rows[1:] == [
        ["0", "Linear", "(N, 4)", "weight 3×4", "12"],
        ["0", "Linear", "(N, 4)", "bias 4", "4"],
        ["1", "SiLU", "", "", ""],
        ["2", "Linear", "(N, 1000)", "weight 4×1000", "4,000"],
        ["2", "Linear", "(N, 1000)", "bias 1000", "1,000"],
        ["Total", "", "", "", "5,016"],
    ]


def test_history_is_a_table_of_the_epochs():
    with kernels.use("reference"):
        history = tiny_trainer(epochs=3, validate=lambda: 0.25).run()
    cells = Cells(history._repr_html_())
    assert cells.caption == history.ended == "finished after step 15, 3 of 3 epochs done"
    assert cells.rows[0] == ["epoch", *history.epochs]
    assert [row[0] for row in cells.rows[1:]] == ["1", "2", "3"]
    column = cells.rows[0].index("loss")
    assert [float(row[column]) for row in cells.rows[1:]] == pytest.approx(history.epochs["loss"], rel=1e-5)


def test_long_history_shows_its_first_and_last_epochs():
    history = History(epochs={"loss": [float(i) for i in range(100)]})
    cells = Cells(history._repr_html_())
    assert cells.caption == "not finished"
    half = SHOWN // 2
    numbers = [*range(1, half + 1), "…", *range(101 - half, 101)]
    assert [row[0] for row in cells.rows[1:]] == [str(n) for n in numbers]
    assert Cells(History()._repr_html_()).rows == [["epoch"]]


class Bar:
    """Records what the progress bar of tqdm is called with."""

    made: list["Bar"] = []

    def __init__(self, **settings):
        self.total, self.updates, self.shown, self.closed = settings["total"], 0, "", False
        self.made.append(self)

    def update(self):
        self.updates += 1

    def set_description_str(self, text, refresh=True):
        self.shown = text

    def close(self):
        self.closed = True


@pytest.fixture
def notebook(monkeypatch):
    """A fake IPython whose shell has a kernel, as in a notebook, and a fake tqdm.auto."""
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(Bar, "made", [])
    return shell


def test_progress_bar_in_a_notebook_is_that_of_tqdm_auto(notebook, capsys):
    with kernels.use("reference"):
        tiny_trainer(epochs=2, callbacks=[ProgressBar()]).run()
    (bar,) = Bar.made
    assert (bar.total, bar.updates, bar.closed) == (10, 10, True) and "loss " in bar.shown
    assert "epoch 1/2" not in capsys.readouterr().err        # no line per epoch


def test_ipython_in_a_terminal_is_not_a_notebook(notebook, capsys):
    del notebook.kernel
    with kernels.use("reference"):
        tiny_trainer(epochs=2, callbacks=[ProgressBar()]).run()
    assert Bar.made == [] and "epoch 1/2: loss " in capsys.readouterr().err
