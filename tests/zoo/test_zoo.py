"""Every entry of the bug zoo: the named check passes the right code and fails the wrong one."""

import inspect
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers.pages import ROOT

from scratchgen import cli, zoo
from scratchgen.distributions import Normal
from scratchgen.gradcheck import SMOOTH
from scratchgen.layers import BatchNorm, LayerNorm, Linear, SiLU
from scratchgen.losses import softmax_cross_entropy
from scratchgen.training import Adam
from scratchgen.zoo import activations, explain, linear, losses, normalisation, optimisers, vae
from scratchgen.zoo.entry import GRADIENT, CaughtByGradient, Entry

ENTRIES = zoo.entries()
HELPERS = {"__init__", "entry", "explain", "tools"}
CHAPTER = ROOT / "docs" / "bug-zoo.md"
each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


@cache
def outcomes(entry):
    return {"right": entry.outcome(entry.Right), "wrong": entry.outcome(entry.Wrong)}


@each
def test_named_check_passes_the_right_code_and_fails_the_wrong_one(entry):
    assert not entry.caught(entry.Right)
    assert entry.caught(entry.Wrong)


@each
def test_gradient_check_says_what_the_entry_states(entry):
    if entry.passes_gradient_check is None:
        with pytest.raises(NotImplementedError):
            entry.gradient_error(entry.Wrong)
        return
    assert entry.gradient_error(entry.Right) <= SMOOTH
    with np.errstate(all="ignore"):
        assert (entry.gradient_error(entry.Wrong) <= SMOOTH) == entry.passes_gradient_check
    assert isinstance(entry, CaughtByGradient) or entry.caught_by != GRADIENT


@each
def test_symptom_is_seen_in_the_stated_direction(entry):
    found = outcomes(entry)
    assert np.isfinite(found["right"].number) and entry.apart > 0
    assert entry.shows(found["right"], found["wrong"])
    assert not entry.shows(found["right"], found["right"])


@each
def test_entry_is_complete_and_its_mistake_is_in_one_place(entry):
    assert entry.symptom[0].isupper() and entry.symptom[-1] == "." == entry.fix[-1]
    for text in (entry.title, entry.seen, entry.caught_by, entry.measure):
        assert text and text[-1] != "."
    assert (ROOT / entry.where).is_file()
    assert issubclass(entry.Wrong, entry.Right)
    own = [name for name in vars(entry.Wrong) if not name.startswith("__")]
    assert len(own) == 1 or entry.name in ("softmax_over_queries", "input_kept_in_layer"), own
    wrong, right = (explain.code_of(entry, version) for version in ("Wrong", "Right"))
    assert wrong != right and len(wrong) <= 14


def test_there_are_enough_entries_and_their_names_are_unique():
    assert len(ENTRIES) >= 36 and len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    assert sum(entry.passes_gradient_check is True for entry in ENTRIES) >= 10


def test_every_module_of_the_package_is_a_family_or_a_helper():
    folder = Path(zoo.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} == {*zoo.FAMILIES, *HELPERS}
    assert {entry.family for entry in ENTRIES} == set(zoo.FAMILIES)
    classes = [value for entry in ENTRIES for value in type(entry).__mro__ if value.__module__ != "builtins"]
    assert {kind for kind in classes if "title" in vars(kind)} == {type(entry) for entry in ENTRIES}


def test_check_that_returns_nan_counts_as_failed():
    class NotANumber(Entry):
        bound = 1.0

        def check(self, code):
            return float("nan")

        def run(self, code):
            return zoo.Outcome(float("nan"))

    assert NotANumber().caught(None) and NotANumber().outcome(None).number == np.inf


def test_table_of_the_chapter_is_that_of_the_entries(capsys):
    assert cli.main(["zoo", "--markdown"]) == 0
    table = capsys.readouterr().out
    text = CHAPTER.read_text(encoding="utf-8")
    assert table in text, "replace the table of docs/bug-zoo.md by the output of `scratchgen zoo --markdown`"
    assert text.count("\n| `") == len(ENTRIES)


@pytest.mark.parametrize("width", [60, 80])
def test_list_and_explanations_fit_into_the_terminal(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert cli.main(["zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    names = {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
    assert names == {entry.name for entry in ENTRIES}
    for entry in ENTRIES:
        assert cli.main(["zoo", entry.name]) == 0
        out = capsys.readouterr().out
        code = set(explain.marked(explain.code_of(entry, "Wrong"), []))
        code |= set(explain.marked(explain.code_of(entry, "Right"), []))
        code |= {line.replace(">", " ", 1) for line in code}
        too_long = [line for line in out.splitlines() if len(line) > (80 if line in code else width)]
        assert not too_long, entry.name
        assert f"Caught by: {entry.caught_by.split()[0]}" in out and "\n>   " in out


def test_run_prints_both_versions_and_the_verdict(capsys):
    assert cli.main(["zoo", "max_pool_ties", "--run"]) == 0
    out = capsys.readouterr().out
    assert "error in a gradient check" in out and "The check catches the wrong code." in out
    assert max(map(len, out.splitlines())) <= 80


def test_run_of_an_entry_that_is_wrong_itself_returns_1(monkeypatch, capsys):
    monkeypatch.setattr(linear.BiasOfOneRow, "Wrong", linear.Affine)
    monkeypatch.setattr(explain, "code_of", lambda entry, version: [])
    assert cli.main(["zoo", "bias_of_one_row", "--run"]) == 1
    assert "The entry does not behave as it says." in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["sum_over_batch", "noise_in_last_step", "sampled_at_once", "eval_mode_forgotten"]
)
def test_plot_is_written(tmp_path, capsys, name):
    """Curves on a logarithmic axis, histograms, points, and bars."""
    path = tmp_path / "a.svg"
    assert cli.main(["zoo", name, "--plot", str(path)]) == 0
    assert path.stat().st_size > 5000 and f"right beside wrong: {path}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kl_sing"], "unknown entry of the zoo 'kl_sing'; did you mean 'kl_sign'"),
        (["KL-sign"], "did you mean 'kl_sign'"),
        (["xyzzy"], "unknown entry of the zoo 'xyzzy'. `scratchgen zoo` lists all"),
        (["--run"], "zoo expected a NAME with --run or --plot"),
        (["kl_sign", "--markdown"], "zoo expected no NAME with --markdown"),
        (["kl_sign", "--plot", "a.xyz"], "ends in .png, .svg or .pdf"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["zoo", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1 and len(err) < 200


def agree(*pairs):
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_right_code_agrees_with_the_library(rng):
    """A sample of the families: the entries teach what the library computes."""
    x, dout = rng.standard_normal((2, 6, 3))
    layer = Linear(3, 3, rng=0, dtype=np.float64)
    out, saved = linear.Affine.forward(x, layer.weight.value, layer.bias.value)
    expected, kept = layer.forward(x)
    dx, dweight, dbias = linear.Affine.backward(dout, saved)
    agree((out, expected), (dx, layer.backward(dout, kept)))
    agree((dweight, layer.weight.grad), (dbias, layer.bias.grad))
    for code, same in (
        (activations.SiLU, SiLU()),
        (normalisation.BatchNorm, BatchNorm(3, dtype=np.float64)),
        (normalisation.LayerNorm, LayerNorm(3, dtype=np.float64)),
    ):
        out, saved = code.forward(x)
        expected, kept = same.forward(x, True)
        agree((out, expected), (code.backward(dout, saved)[0], same.backward(dout, kept)))
    labels = np.array([0, 2, 1, 1, 0, 2])
    loss, (dlogits,) = losses.CrossEntropy.loss(x, labels)
    agree(*zip((loss, dlogits), softmax_cross_entropy(x, labels), strict=True))
    kl, gradients = vae.VAE.kl(x, dout)
    agree((kl, Normal.kl(x, dout).sum() / 6))
    agree(*zip(gradients, (g / 6 for g in Normal.kl_grad(x, dout)), strict=True))
    weight = layer.weight.value.copy()
    own, theirs = optimisers.Adam(weight), Adam({"weight": layer.weight}, lr=0.01)
    for g in (x[:3], dout[:3]):
        own.update(weight, g, 0.01)
        layer.weight.grad[...] = g
        theirs.step()
    agree((weight, layer.weight.value))


def test_wrong_classes_are_shown_from_their_source():
    entry = zoo.find("softmax_over_queries")
    assert explain.code_of(entry, "Wrong")[0] == "axis = 0"
    assert explain.code_of(entry, "Right")[0] == "axis = -1"
    assert "@classmethod" in explain.code_of(entry, "Right")
    assert inspect.isclass(entry.Wrong)
