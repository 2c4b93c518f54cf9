"""The command `gradcheck`: its table, its exit code and its plot."""

from dataclasses import replace

import pytest

from scratchgen import cli, kernels
from scratchgen.gradcheck import report
from scratchgen.layers import SiLU, activations
from scratchgen.models.cases import CASES


def case_named(name):
    return next(case for case in CASES if case.name == name)


@pytest.fixture
def two(monkeypatch):
    """Replace the list of cases by two quick ones."""
    cases = (case_named("Linear"), case_named("SiLU"))
    monkeypatch.setattr("scratchgen.models.cases.CASES", cases)
    return cases


def fail(case):
    """The case with its first result turned into a failure."""
    results = case.run()
    return [replace(results[0], verdict="FAIL", error=0.5), *results[1:]]


def test_without_names_there_is_a_line_for_each_case(two, capsys):
    assert cli.main(["gradcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["case", "Linear", "SiLU", "cases:"]
    assert lines[-1] == "cases: 2, failed checks: 0, arrays with a kink: 0"


def test_with_names_there_is_a_line_for_each_array(two, capsys):
    assert cli.main(["gradcheck", "Linear"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Linear:" and {"input", "weight", "bias"} <= {line.split()[0] for line in lines[2:]}
    assert lines[-1].startswith("cases: 1,")


@pytest.mark.parametrize("names", [[], ["Linear"]])
def test_gradcheck_exits_with_1_and_names_the_array_if_a_check_fails(two, monkeypatch, capsys, names):
    monkeypatch.setattr(type(two[0]), "run", fail_once(two[0]))
    assert cli.main(["gradcheck", *names]) == 1
    out = capsys.readouterr().out
    assert "Linear:\n  input" in out and "FAIL" in out and "failed checks: 2" in out


def fail_once(wrong):
    run = type(wrong).run

    def patched(case):
        results = run(case)
        return [replace(results[0], verdict="FAIL"), *results[1:]] if case is wrong else results

    return patched


@pytest.mark.parametrize("width", [60, 80])
def test_every_row_fits_into_the_terminal(two, width):
    first = two[0].run()[0]
    for case in CASES:
        result = replace(first, what="parameters.encoder.layers.12.attention.projection.weight")
        for detailed in (False, True):
            lines = [report.head(detailed, width), *report.rows(case, {"jit": [result]}, detailed, width)]
            failure = replace(result, verdict="FAIL", shape=(128, 64, 32))
            lines += report.rows(case, {"jit": [failure]}, detailed, width)
            lines += report.rows(case, {"jit": [failure], "reference": [result]}, detailed, width)
            assert max(map(len, lines)) <= width, case.name


def test_name_that_does_not_fit_has_its_own_line(two):
    result = replace(two[0].run()[0], what="after a Linear: 0.weight")
    _, line = report.rows(two[0], {"jit": [result]}, True, 80)
    assert line.startswith("  after a Linear: 0.weight ") and line.endswith("  ok")
    name, numbers = report.rows(two[0], {"jit": [result]}, True, 60)[1:]
    assert name == "  after a Linear: 0.weight" and numbers.split()[-1] == "ok"


@pytest.mark.slow
def test_gradcheck_plot_is_written(two, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "CURVE_STEPS", (1e-2, 1e-4))
    path = tmp_path / "v.png"
    assert cli.main(["gradcheck", "SiLU", "--plot", str(path)]) == 0
    assert path.is_file() and f"error against step size: {path}" in capsys.readouterr().out


def test_failure_is_explained_below_its_row(two, monkeypatch, capsys):
    """A case whose layer is wrong; the explanation fits into the terminal."""
    wrong = replace(two[1], build=lambda rng, dtype: WrongSiLU())
    monkeypatch.setattr("scratchgen.models.cases.CASES", (wrong,))
    assert cli.main(["gradcheck", "SiLU"]) == 1
    out = capsys.readouterr().out
    assert "    A constant factor: every entry is twice what it should be" in out
    assert max(map(len, out.splitlines())) <= 80


class WrongSiLU(SiLU):
    def backward(self, dout, cache, input_grad=True):
        return super().backward(2 * dout, cache, input_grad)


@pytest.mark.slow
def test_plot_shows_the_array_that_failed(two, monkeypatch):
    monkeypatch.setattr(report, "CURVE_STEPS", (1e-2, 1e-4))
    right = report.error_figure(two[0])
    assert [ax.get_title() for ax in right.axes[:2]] == [
        "Linear: difference quotients against backward, for input",
        "Error of each entry of input (7×5): 0 of 35 wrong",
    ]
    wrong = report.error_figure(replace(two[1], build=lambda rng, dtype: WrongSiLU()))
    assert [ax.get_title() for ax in wrong.axes[:2]] == [
        "SiLU: no step makes the differences agree with backward, for input",
        "Error of each entry of input (7×5): 35 of 35 wrong",
    ]
    assert wrong.axes[1].collections[0].get_array().shape == (7, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Liner"], "unknown layer, loss or model 'Liner'; did you mean 'Linear'?"),
        (["--plot", "taken"], "expected a file to write, but taken is a folder"),
        (["--plot", "file/v.png"], "cannot write into file"),
        (["Linear", "--plot", "v.xyz"], "ends in .png, .svg or .pdf"),
    ],
)
def test_gradcheck_refuses_bad_arguments_before_any_check(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    assert cli.main(["gradcheck", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err


def test_gradcheck_plot_needs_a_layer(tmp_path, capsys):
    name = next(case.name.split()[0] for case in CASES if not isinstance(case, type(case_named("Linear"))))
    assert cli.main(["gradcheck", name, "--plot", str(tmp_path / "v.png")]) == 2
    assert f"--plot expected the name of a layer, got {name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "version, words", [("reference", "SiLU (the readable function):"), ("jit", "SiLU (the compiled twin):")]
)
def test_gradcheck_checks_the_readable_functions_and_their_twins(monkeypatch, capsys, version, words):
    """A mistake in a formula of layers/activations.py is found, although its compiled twin is right."""
    right = activations.silu_backward

    def wrong(dout, out, sig):
        return (1.01 if kernels.backend() == version else 1) * right(dout, out, sig)

    monkeypatch.setattr(activations, "silu_backward", wrong)
    assert cli.main(["gradcheck", "SiLU"]) == 1
    out = capsys.readouterr().out
    assert words in out and "FAIL" in out
