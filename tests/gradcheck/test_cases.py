"""The gradient of every layer, loss and model is checked, and the command reports the results."""

import functools
import inspect
import math

import numpy as np
import pytest

from scratchgen import cli, kernels, layers, losses, models
from scratchgen.gradcheck import report
from scratchgen.gradcheck.cases import LayerCase, ModelCase
from scratchgen.gradcheck.checker import has_jvp
from scratchgen.gradcheck.differences import EXACT, Result, central, richardson
from scratchgen.layers import ReLU
from scratchgen.models import cases as gradcases
from scratchgen.models.cases import CASES, LAYERS, kind, worst
from scratchgen.models.gan.cases import MODELS as GAMES

LAYER_CASES = [case for case in LAYERS if isinstance(case, LayerCase)]


@functools.cache
def results_of(case, backend):
    """What a case finds with one set of kernels. Several tests ask for it, and it always finds the same."""
    with kernels.use(backend):
        return case.run()


MODEL_CASES = [case for case in gradcases.MODELS if case not in GAMES]
LONG = (
    "CharacterModel", "DCGAN", "PixelCNN", "RealNVP convolutional", "Sequential convolutional",
    "TransformerBlock", "WGAN convolutional",
)  # fmt: skip


def marked(cases):
    """The cases as parameters of a test; the long ones are marked as slow."""
    return [pytest.param(c, marks=pytest.mark.slow) if c.name.startswith(LONG) else c for c in cases]


@pytest.mark.parametrize("case", marked(CASES), ids=lambda case: case.name)
def test_gradient_is_the_derivative(case, backend):
    """The tolerance is 1e-8 for smooth functions and 1e-6 for the others."""
    results = results_of(case, backend)
    assert results
    failures = [r for r in results if r.verdict != "ok"]
    assert not failures
    assert max(r.error for r in results) <= (1e-8 if case.smooth else 1e-6)


def test_every_layer_has_a_case():
    public = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    without_gradient = {"Activation", "Bijection", "Layer", "Parameter", "TimeNetwork"}
    known = {kind(case) for case in LAYERS}
    missing, gone = public - without_gradient - known, known - public
    assert not missing, f"add to LAYERS in scratchgen/gradcheck/layer_cases.py: {', '.join(sorted(missing))}"
    assert not gone, f"the cases of a layer that is not public: {', '.join(sorted(gone))}"


def test_every_loss_has_a_case():
    public = {
        name
        for name, f in vars(losses).items()
        if inspect.isfunction(f) and f.__module__ == losses.__name__ and not name.startswith("_")
    }
    assert {kind(case) for case in gradcases.LOSSES} == public


def test_every_model_with_a_gradient_has_a_case():
    classes = [c for name in models.__all__ if inspect.isclass(c := getattr(models, name))]
    base = models.Model
    trained = {c.__name__ for c in classes if issubclass(c, base) and c.backward is not base.backward}
    assert {kind(case) for case in gradcases.MODELS if case not in GAMES} == trained


def test_every_gan_has_a_case():
    classes = [c for name in models.__all__ if inspect.isclass(c := getattr(models, name))]
    games = {c.__name__ for c in classes if hasattr(c, "generator_backward")}
    assert {kind(case) for case in GAMES} == games


def test_gan_cases_cover_both_networks_and_the_penalty():
    for case in GAMES:
        game = case.build(np.random.default_rng(0), np.float64)
        found = [r.what for r in results_of(case, "jit")]
        critic = [name for name in game.parameters() if name.startswith("discriminator.")]
        drawer = [name for name in game.parameters() if name.startswith("generator.")]
        expected = [*critic, "discriminator: all parameters", *drawer, "generator: all parameters"]
        if "penalised" in case.name:
            expected += [f"penalty: {name}" for name in (*critic, "all parameters")]
        assert found == expected


def test_names_of_cases_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


CONTRACT = {
    "dout, x and cache kept", "gradients add up", "cache is complete", "frozen", "input_grad=False"
}  # fmt: skip


@pytest.mark.parametrize("case", marked(LAYER_CASES), ids=lambda case: case.name)
def test_layer_case_checks_the_contract_and_the_jvp_if_there_is_one(case):
    found = {r.what for r in results_of(case, "jit")}
    assert found >= CONTRACT | {"input", "after a Linear: 0.weight"}
    assert ("jvp" in found) == has_jvp(case.make()[0])


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_layer_has_a_jvp_unless_it_is_a_bijection(case):
    """A critic with a gradient penalty may contain any layer, except those that only flows use.

    Modules with two inputs, such as ResidualBlock, are no layers, and a critic cannot contain them.
    """
    public = getattr(layers, kind(case))
    expected = issubclass(public, layers.Layer) and not issubclass(public, layers.Bijection)
    assert has_jvp(case.make()[0]) == expected


def test_case_draws_the_same_numbers_each_time():
    case = next(case for case in LAYERS if case.name == "BatchNorm evaluation")
    (first, x, _), (second, y, _) = case.make(), case.make()
    assert (x == y).all()
    assert (first.running_mean == second.running_mean).all()
    assert not (first.running_mean == 0).any()
    assert not (first.bias.value == 0).any()


def test_worst_prefers_a_failure():
    fine = Result("a", (1,), 9e-9, 1e-3, "ok", 1e-8)
    exact = Result("b", (1,), 9.9e-13, 0.0, "ok", EXACT)
    failed = Result("c", (1,), math.inf, 0.0, "FAIL", 1e-8)
    assert worst([fine, exact]) is fine
    assert worst([fine, exact, failed]) is failed


class Wrong(ReLU):
    def backward(self, dout, out, input_grad=True):
        return 1.001 * dout * (out > 0) if input_grad else None


def test_report_exits_with_one_on_a_failure(capsys, monkeypatch):
    cases = (
        LayerCase("Wrong", lambda rng, dtype: Wrong(), (7, 5), smooth=False),
        LayerCase("ReLU", lambda rng, dtype: ReLU(), (7, 5), smooth=False),
    )
    monkeypatch.setattr(gradcases, "CASES", cases)
    assert cli.main(["gradcheck"]) == 1
    out = capsys.readouterr().out
    assert "FAIL" in out and "cases: 2, failed checks: " in out
    assert cli.main(["gradcheck", "ReLU"]) == 0


def test_report_shows_a_kink(capsys, monkeypatch):
    class Shifted(LayerCase):
        def make(self, dtype=np.float64):
            layer, x, rng = super().make(dtype)
            x[3, 2] = 0
            return layer, x, rng

    kinked = Shifted("ReLU", lambda rng, dtype: ReLU(), (7, 5), smooth=False)
    monkeypatch.setattr(gradcases, "CASES", (kinked,))
    assert cli.main(["gradcheck", "ReLU"]) == 0
    out = capsys.readouterr().out
    assert "kink\n" in out and "FAIL" not in out


def test_report_refuses_an_unknown_name(capsys):
    assert cli.main(["gradcheck", "Linear", "Conv2D"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "unknown layer, loss or model 'Conv2D'; did you mean 'Conv2d'? Known names: Linear, " in err


@pytest.mark.slow
def test_plot_of_a_layer_is_saved(tmp_path, capsys):
    path = tmp_path / "v.png"
    assert cli.main(["gradcheck", "Tanh", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["v.png"]
    assert f"error against step size: {path}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["v.xyz", "v"])
def test_plot_of_another_format_is_refused_before_any_check(tmp_path, capsys, name):
    path = tmp_path / name
    assert cli.main(["gradcheck", "Tanh", "--plot", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"a figure expected a file name that ends in .png, .svg or .pdf, got {path}\n")
    assert not list(tmp_path.iterdir())


def test_plot_that_cannot_be_saved_leaves_no_file(tmp_path, capsys, monkeypatch):
    """The disk is full when the figure is written."""

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    path = tmp_path / "v.png"
    assert cli.main(["gradcheck", "Tanh", "--plot", str(path)]) == 2
    assert f"{path}: No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_plot_of_a_loss_is_refused(tmp_path, capsys):
    assert cli.main(["gradcheck", "squared_error", "--plot", str(tmp_path / "v.png")]) == 2
    assert "--plot expected the name of a layer, got squared_error" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_error_curve_has_a_minimum_and_float64_is_far_below_float32():
    case = next(case for case in LAYERS if case.name == "Tanh")
    lowest = {}
    for dtype in (np.float64, np.float32):
        for rule in (central, richardson):
            curve = report.error_curve(case, dtype, rule)
            lowest[dtype, rule] = min(curve)
            assert curve[0] > 100 * min(curve) and curve[-1] > 100 * min(curve)
    assert lowest[np.float64, richardson] < lowest[np.float64, central] / 10
    assert lowest[np.float64, central] < lowest[np.float32, central] / 1e4


@pytest.mark.parametrize("case", marked(MODEL_CASES), ids=lambda case: case.name)
def test_model_case_covers_all_parameters(case):
    assert isinstance(case, ModelCase)
    model = case.build(np.random.default_rng(0), np.float64)
    assert [r.what for r in results_of(case, "jit")] == [*model.parameters(), "all parameters"]
