"""Every entry of the bug zoo: the named check passes the right code and fails the wrong one."""

import inspect
import json
import math
import re
import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers.pages import ROOT

from scratchgen import cli, zoo
from scratchgen.distributions import Normal
from scratchgen.exercises.catalogue import EXERCISES
from scratchgen.gradcheck import SMOOTH
from scratchgen.gradcheck.report import choose
from scratchgen.layers import LSTM, BatchNorm, LayerNorm, Linear, SiLU
from scratchgen.layers.attention import attention as library_attention
from scratchgen.layers.attention import attention_backward
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.cases import CASES
from scratchgen.models.gan import InfoGAN
from scratchgen.training import Adam
from scratchgen.zoo import (
    activations,
    attention,
    convolution,
    explain,
    infogan,
    linear,
    losses,
    normalisation,
    optimisers,
    padding,
    recurrent,
    training,
    vae,
)
from scratchgen.zoo.entry import GRADIENT, CaughtByGradient, Entry, rounded

ENTRIES = zoo.entries()
HELPERS = {"__init__", "entry", "explain", "tools"}
CHAPTER = ROOT / "docs" / "zoo.md"
TWO_PLACES = ("softmax_over_queries", "input_kept_in_layer", "gates_share_bias")    # forward and backward
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
def test_stated_numbers_are_what_a_run_measures(entry):
    found = outcomes(entry)
    assert entry.reproduces(**found)
    assert not entry.reproduces(found["right"], found["right"])
    assert all((outcome.curve is None) != (outcome.sample is None) for outcome in found.values())


@each
def test_entry_is_complete_and_its_mistake_is_in_one_place(entry):
    assert entry.symptom[0].isupper() and entry.symptom[-1] == "." == entry.fix[-1]
    for text in (entry.title, entry.seen, entry.caught_by, entry.measure):
        assert text and text[-1] != "."
    assert (ROOT / entry.where).is_file()
    assert issubclass(entry.Wrong, entry.Right)
    own = [name for name in vars(entry.Wrong) if not name.startswith("__")]
    assert len(own) == 1 or entry.name in TWO_PLACES, own
    wrong, right = (explain.code_of(entry, version) for version in ("Wrong", "Right"))
    assert wrong != right and len(wrong) <= 14
    assert "numbers" in vars(type(entry)), "each entry states its own numbers"


@each
def test_commands_of_the_next_steps_exist(entry):
    steps = dict(step.split(": scratchgen ", 1) for step in explain.next_steps(entry))
    assert steps["Measure it"] == f"zoo {entry.name} --run"
    if entry.gradcheck is not None:
        assert choose(CASES, [entry.gradcheck])
        assert steps["Check the library"] == f"gradcheck {entry.gradcheck}"
    if entry.exercise is not None:
        assert entry.exercise in EXERCISES and steps["Write it yourself"] == f"exercise {entry.exercise}"
    for words in steps.values():
        cli.build_parser(words.split()[0]).parse_args(shlex.split(words))
    assert ("Check your own code" in steps) or entry.passes_gradient_check is not False
    assert len(steps) > 1 or isinstance(entry, training.TrainingEntry)


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


def test_tables_of_the_chapter_are_those_of_the_entries(capsys):
    assert cli.main(["zoo", "--markdown"]) == 0
    tables = capsys.readouterr().out
    text = CHAPTER.read_text(encoding="utf-8")
    assert tables in text, "replace the tables of docs/zoo.md by the output of `scratchgen zoo --markdown`"
    assert text.count("\n| `") == len(ENTRIES)


def test_entries_and_commands_that_the_chapter_names_exist():
    text = CHAPTER.read_text(encoding="utf-8")
    names = {entry.name for entry in ENTRIES}
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) <= names
    commands = re.findall(r"^(scratchgen zoo.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        args = cli.build_parser("zoo").parse_args(shlex.split(command)[1:])
        assert args.name is None or args.name in names


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
        text = " ".join(out.split())
        assert f"Measured: {explain.measured_text(entry)}." in text
        assert all(step in text for step in explain.next_steps(entry))


def test_run_prints_both_versions_and_the_verdict(capsys):
    assert cli.main(["zoo", "max_pool_ties", "--run"]) == 0
    out = capsys.readouterr().out
    assert "error in a gradient check" in out and "The check catches the wrong code." in out
    assert max(map(len, out.splitlines())) <= 80


def test_list_option_prints_the_list(capsys):
    texts = []
    for arguments in ([], ["--list"]):
        assert cli.main(["zoo", *arguments]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    headings = [line[:-1] for line in texts[0].splitlines() if line[0] != " " and line[-1] == ":"]
    assert headings == [*zoo.FAMILIES]


def strict(text):
    """JSON as other programs read it, without NaN and infinity."""
    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_list_as_json(capsys):
    assert cli.main(["zoo", "--json"]) == 0
    found = strict(capsys.readouterr().out)
    assert [entry["name"] for entry in found] == [entry.name for entry in ENTRIES]
    assert {entry["gradient_check"] for entry in found} == {"passes", "fails", "no gradient"}
    assert all(entry["code"]["right"] != entry["code"]["wrong"] for entry in found)


@pytest.mark.parametrize("name", ["tanh_of_input", "variance_by_squares", "sampled_at_once"])
def test_run_as_json_has_the_numbers_and_no_nan(capsys, name):
    assert cli.main(["zoo", name, "--json", "--run"]) == 0
    found, entry = strict(capsys.readouterr().out), zoo.find(name)
    assert found["run"]["holds"] is True
    for version, number in zip(("right", "wrong"), entry.numbers, strict=True):
        assert found["measured"][version] == (number if math.isfinite(number) else None)
        run = found["run"]["number"][version]
        assert run is None if math.isinf(number) else run == pytest.approx(number, rel=0.05)
    drawn = [found["run"][part]["right"] for part in ("curve", "sample")]
    assert any(drawn) and found["run"]["error of the check"]["right"] <= entry.bound


def test_plot_beside_json_leaves_the_output_json(tmp_path, capsys):
    path = tmp_path / "a.svg"
    assert cli.main(["zoo", "kl_sign", "--json", "--plot", str(path)]) == 0
    out, err = capsys.readouterr()
    assert path.is_file() and strict(out)["run"]["holds"] and f"right beside wrong: {path}" in err


def test_number_is_shown_with_three_digits():
    texts = [explain.number_text(number) for number in (0.0, 0.35712, -5930.0, 44.0, math.inf)]
    assert texts == ["0", "0.357", "-5930", "44", "diverges"]
    assert [rounded(number) for number in (1e-9, 0.35712, 1e9, -1e9)] == [0.0, 0.357, math.inf, -math.inf]


def test_run_of_an_entry_that_is_wrong_itself_returns_1(monkeypatch, capsys):
    monkeypatch.setattr(linear.BiasOfOneRow, "Wrong", linear.Affine)
    monkeypatch.setattr(explain, "code_of", lambda entry, version: [])
    assert cli.main(["zoo", "bias_of_one_row", "--run"]) == 1
    assert "The entry does not behave as it says." in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["sum_over_batch", "noise_in_last_step", "sampled_at_once"]
)
def test_plot_is_written(tmp_path, capsys, name):
    """Curves on a logarithmic axis, histograms, and points."""
    path = tmp_path / "new" / "a.svg"
    assert cli.main(["zoo", name, "--plot", str(path)]) == 0
    assert path.stat().st_size > 5000 and f"right beside wrong: {path}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kl_sing"], "unknown entry of the zoo 'kl_sing'; did you mean 'kl_sign'"),
        (["KL-sign"], "did you mean 'kl_sign'?"),
        (["lstm"], "did you mean 'gates_share_bias' or 'carry_of_cell_lost'"),
        (["padding"], "a family; its entries are padding_mask_transposed, empty_sequence, padding_in_mean."),
        (["xyzzy"], "unknown entry of the zoo 'xyzzy'. `scratchgen zoo` lists all"),
        (["--run"], "zoo expected a NAME with --run or --plot"),
        (["kl_sign", "--markdown"], "zoo expected no NAME with --markdown, got 'kl_sign'"),
        (["kl_sign", "--list"], "zoo expected no NAME with --list, got 'kl_sign'"),
        (["--json", "--markdown"], "zoo expected one of --json and --markdown, got both"),
        (["--plot", "a.svg"], "zoo expected a NAME with --run or --plot"),
        ([""], "unknown entry of the zoo ''. `scratchgen zoo` lists all"),
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


def test_lstm_agrees_with_the_library(rng):
    """Final states, and the gradients of the weights and of the initial state, with lengths."""
    steps, n, features, hidden = 4, 3, 2, 3
    layer = LSTM(features, hidden, rng=0, dtype=np.float64)
    layer.recurrent_weight.value[...] = rng.standard_normal((hidden, 4 * hidden))
    parameters = [layer.weight, layer.recurrent_weight, layer.bias]
    own = [p.value.reshape(*p.value.shape[:-1], 4, hidden) for p in parameters]
    x, lengths = rng.standard_normal((n, steps, features)), np.array([4, 1, 2])
    h, c, dh, dc = rng.standard_normal((4, n, hidden))
    _, cache = layer.forward(x, state=(h, c), lengths=lengths)
    _, dstate = layer.backward_with_state(np.zeros((n, steps, hidden)), (dh, dc), cache)
    *state, kept = recurrent.LSTM.forward(x.swapaxes(0, 1), *own, h, c, lengths)
    *dweights, dh_first, dc_first = recurrent.LSTM.backward(dh, dc, kept)
    agree(*zip(state, cache.state, strict=True), (dh_first, dstate[0]), (dc_first, dstate[1]))
    agree(*((d.reshape(p.grad.shape), p.grad) for d, p in zip(dweights, parameters, strict=True)))


def test_bound_of_infogan_agrees_with_the_library(rng):
    """L, and the gradient of −L at the outputs of Q, for one categorical code."""
    sizes = {"categories": (infogan.CATEGORIES,), "continuous": 0, "weight": infogan.WEIGHT}
    game = InfoGAN.dense(4, (3,), 2, rng=0, dtype=np.float64, **sizes)
    q, c = rng.standard_normal((6, infogan.CATEGORIES)), np.array([0, 2, 1, 1, 0, 2])
    z = np.concatenate([np.zeros((6, 1)), np.eye(infogan.CATEGORIES)[c]], axis=1)
    log_q, dlog_q = infogan.Informed.log_q(q, c)
    bound = np.log(infogan.CATEGORIES) + log_q
    _, dq = infogan.Informed.objective(bound, dlog_q)
    agree(*zip((bound, dq), game._bound_and_gradient(q, z), strict=True))


def test_inputs_for_which_wrong_code_is_right(rng):
    """The chapter warns of these: one step, a symmetric kernel, and a layer that is not square."""
    one, wrong = recurrent.LSTM, recurrent.CarryOfCellLost.Wrong
    a, c, dh = rng.standard_normal((3, 4, 2)), *rng.standard_normal((2, 3, 2))
    cache = one.cell(a, c)[2]
    agree(*zip(one.cell_backward(dh, 0, cache), wrong.cell_backward(dh, 0, cache), strict=True))
    assert np.abs(one.cell_backward(dh, 1, cache)[0] - wrong.cell_backward(dh, 1, cache)[0]).max() > 0.01
    conv, x = convolution.KernelNotFlipped, rng.standard_normal((2, 4, 4))
    for kernel, same in ((rng.standard_normal((3, 3)), False), (np.outer([1, 2, 1], [1, 2, 1]), True)):
        dx = [code.backward(x, (x, kernel))[0] for code in (conv.Right, conv.Wrong)]
        assert np.allclose(*dx) == same
    with pytest.raises(ValueError, match="mismatch"):
        linear.WeightNotTransposed.Wrong.backward(x[0, :, :2], (x[0, :, :3], np.ones((3, 2))))


@pytest.mark.parametrize("causal", [True, False])
def test_attention_agrees_with_the_library(rng, causal):
    """The causal one has one head; without padding, `Padded` is attention that sees all positions."""
    q, k, v, dout = rng.standard_normal((4, 5, 3))
    qkv = np.concatenate([q, k, v], axis=1)[None]
    expected, p = library_attention(qkv, 1, causal)
    dqkv = attention_backward(dout[None], qkv, p, causal)[0]
    if causal:
        out, saved = attention.Attention.forward(q, k, v)
        gradients = attention.Attention.backward(dout, saved)
        agree((out, expected[0]), (np.concatenate(gradients, axis=1), dqkv))
        return
    out, saved = padding.Padded.forward(q @ k.T / np.sqrt(3), v, 5)
    dscores, dv = padding.Padded.backward(dout, saved)
    agree((out, expected[0]), (dv, dqkv[:, 6:]), (dscores @ k / np.sqrt(3), dqkv[:, :3]))


def test_wrong_classes_are_shown_from_their_source():
    entry = zoo.find("softmax_over_queries")
    assert explain.code_of(entry, "Wrong")[0] == "axis = 0"
    assert explain.code_of(entry, "Right")[0] == "axis = -1"
    assert "@classmethod" in explain.code_of(entry, "Right")
    assert inspect.isclass(entry.Wrong)
