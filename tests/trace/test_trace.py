"""A trace: its numbers are those of a direct computation, and a wrong gradient shows where it is."""

import importlib
import sys

import numpy as np
import pytest

import scratchgen.models
from scratchgen import kernels
from scratchgen.gradcheck.checker import backward
from scratchgen.layers import Layer, Linear, ReLU, Sequential, Tanh
from scratchgen.models import GAN, MADE, VAE, Autoencoder, Diffusion, MLPClassifier
from scratchgen.models.base import Estimator
from scratchgen.models.cases import EXAMPLES
from scratchgen.trace import trace, trace_case
from scratchgen.trace.make import cases, cases_by_model, in_float64, without_training_step

FIRST = [names[0] for names in cases_by_model().values()]
TRACES = {}


def traced(name):
    """The trace of an example, made once."""
    if name not in TRACES:
        TRACES[name] = trace_case(name)
    return TRACES[name]


def test_every_public_model_has_an_example_or_no_training_step():
    public = {
        name for name in scratchgen.models.__all__
        if isinstance(value := getattr(scratchgen.models, name), type) and issubclass(value, Estimator)
    }  # fmt: skip
    assert public - {"Estimator", "Model"} == {*cases_by_model(), *without_training_step()}


@pytest.mark.parametrize("name", FIRST)
def test_gradients_of_every_model_agree_and_each_parameter_is_shown(name):
    found = traced(name)
    assert found.ok, [phase.disagreements for phase in found.phases]
    for phase in found.phases:
        shown = [p for step in phase.steps for p in step.parameters]
        assert phase.check is not None and phase.check.verdict != "FAIL"
        assert all(p.check is not None for p in shown if p.summary.norm > 0)
        squares = {}
        for step in phase.steps:
            for p in step.parameters:
                squares.setdefault((step.name, p.name), []).append(p.summary.norm)
        once = [norms[0] for norms in squares.values() if len(norms) == 1]
        if len(once) == len(squares):       # each layer was called once, so the parts make the whole
            assert np.linalg.norm(once) == pytest.approx(phase.norm, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in cases() if name not in FIRST])
def test_gradients_of_every_other_example_agree(name):
    found = traced(name)
    assert found.ok, [phase.disagreements for phase in found.phases]


@pytest.mark.parametrize("name", FIRST)
def test_text_is_at_most_80_columns_wide(name):
    lines = str(traced(name)).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("BACKWARD PASS") for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def small_vae(dtype=np.float32):
    return VAE.dense((6, 5, 2), rng=0, dtype=dtype), np.random.default_rng(1).integers(0, 2, (4, 6)) * 1.0


def test_numbers_of_a_vae_equal_a_direct_computation():
    model, x = small_vae()
    found = model.trace(x.astype(np.float32))
    (phase,) = found.phases
    double = in_float64(model)
    seed = int(np.random.default_rng(0).integers(2**31))
    prepared = double.prepare((x,), np.random.default_rng(seed))
    with kernels.use("reference"):
        loss, cache = double.loss(*prepared, rng=np.random.default_rng(seed + 1), training=True)
        returned, gradients = backward(double, None, cache)
    assert phase.loss == loss
    z = cache.offset + cache.std * cache.eps
    assert found.step("z").values[0].summary.norm == pytest.approx(np.linalg.norm(z), rel=1e-14)
    assert found.step("kl").values[0].summary.mean == cache.kl
    for name in ("dz", "dmu", "dlogvar"):
        (value,) = found.step(name, "backward").values
        assert value.summary.norm == pytest.approx(np.linalg.norm(returned[name]), rel=1e-14)
    for name, gradient in gradients.items():
        layer, _, own = name.rpartition(".")
        step = found.step(layer, "backward")
        (shown,) = (p for p in step.parameters if p.name == own)
        assert shown.summary.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-12)
        assert shown.summary.shape == gradient.shape
    whole = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    assert phase.norm == pytest.approx(whole, rel=1e-12)


def test_steps_are_in_order_with_equations_and_places():
    (phase,) = traced("VAE dense").phases
    forward = [step.name for step in phase.of("forward") if not step.depth]
    assert forward == [
        "x", "encoder", "mu, logvar", "std", "eps", "z", "decoder", "nll, dout", "offset", "kl", "loss",
    ]  # fmt: skip
    numbers = {e.number for step in phase.steps for line in step.lines for e in line.equations}
    assert numbers >= {*(f"VAE.{i}" for i in range(1, 9)), "LIN.1", "LIN.2", "LIN.3", "LIN.4", "BCE.1"}
    assert "CVAE.2" not in numbers          # the same line computes it, but in a ConditionalVAE
    (line,) = traced("VAE dense").step("z").lines
    assert line.equations[0].formula == "z = mu + std·eps,  eps ~ N(0, I)"
    assert line.statement.place.startswith("models/vae/model.py:")
    assert line.statement.code.startswith("z = mu + std * eps")
    numbers = {
        e.number for step in traced("ConditionalVAE").phases[0].steps
        for line in step.lines for e in line.equations
    }  # fmt: skip
    assert {"CVAE.1", "CVAE.2", "VAE.5"} <= numbers


def test_a_value_names_the_steps_that_it_uses():
    found = traced("VAE dense")
    names = {step.index: step.name for step in found.phases[0].steps}
    used = {name: {names[i] for i in found.step(name).sources} for name in ("z", "kl", "loss")}
    assert used == {
        "z": {"mu, logvar", "std", "eps"}, "kl": {"offset", "mu, logvar"}, "loss": {"nll, dout", "kl"}
    }  # fmt: skip


def test_a_gan_has_both_turns_and_a_penalty_its_second_backward_pass():
    assert [phase.name for phase in traced("GAN non-saturating").phases] == ["discriminator", "generator"]
    found = trace_case("WGAN dense, penalised")
    assert [phase.name for phase in found.phases] == ["critic", "penalty", "generator"]
    penalty = found.phases[1]
    assert [way for way in ("forward", "backward", "tangent") if penalty.of(way)] == [
        "forward", "backward", "tangent"
    ]  # fmt: skip
    numbers = {e.number for step in penalty.steps for line in step.lines for e in line.equations}
    assert numbers >= {"GP.1", "GP.2", "GP.3", "GP.4", "GP.5"}
    assert all(check.ok for step in penalty.of("tangent") for _, check in step.checks)
    frozen = [step for step in found.phases[2].steps if step.note == "frozen"]
    assert {step.name.partition(".")[0] for step in frozen} == {"discriminator"}
    assert not any(step.parameters for step in frozen)


def test_diffusion_is_traced_at_one_noise_level():
    found = traced("Diffusion dense")
    assert "step t = 500 of 1000" in found.phases[0].title
    t = found.step("t").values[0].summary
    assert t.low == t.high == 500


class DoubledTanh(Tanh):
    """A Tanh whose gradient is twice what it should be."""

    def backward(self, dout, cache, input_grad=True):
        dx = super().backward(dout, cache, input_grad)
        return None if dx is None else 2 * dx


class WrongWeight(Linear):
    """A Linear whose weight gradient is divided by the batch size once too often."""

    def backward(self, dout, x, input_grad=True):
        self.weight.grad += x.T @ dout / len(x)
        self.bias.grad += dout.sum(axis=0)
        return dout @ self.weight.value.T if input_grad else None


class WrongLogvar(VAE):
    """A VAE without the ½ in the gradient of the log-variance."""

    def backward(self, cache):
        n = len(cache.eps)
        dz = self.decoder.backward(cache.dout, cache.dec)
        dmu = dz + cache.offset / n
        dlogvar = dz * cache.eps * cache.std + 0.5 * (cache.std**2 - 1) / n
        dh = np.concatenate([dmu, dlogvar], axis=1)
        self.encoder.backward(dh, cache.enc, input_grad=False)
        return {"dmu": dmu, "dlogvar": dlogvar}


def by_themselves(found):
    """The layers and arrays that fail by themselves, given the gradient that reached them."""
    wrong = found.phases[0].disagreements
    return [(step.name, what) for step, what, _ in wrong if step.kind == "layer" and what != "dout"]


def flawed(layer):
    rng = np.random.default_rng(0)
    encoder = Sequential(Linear(6, 5, rng=rng), layer, Linear(5, 2, rng=rng))
    decoder = Sequential(Linear(2, 5, rng=rng), Tanh(), Linear(5, 6, rng=rng))
    return Autoencoder(encoder, decoder).trace(rng.random((4, 6)).astype(np.float32))


def test_a_wrong_dx_shows_at_its_layer_and_makes_those_before_it_wrong():
    assert flawed(Tanh()).ok
    found = flawed(DoubledTanh())
    assert not found.ok and not found.phases[0].check.ok
    assert by_themselves(found) == [("encoder.1", "dx")]
    wrong = [(s.name, what) for s, what, _ in found.phases[0].disagreements if what == "dout"]
    assert wrong == [("encoder.0", "dout")]
    assert "encoder.1 (DoubledTanh)" in str(found).replace("\n", " ")
    assert str(found).count("WRONG 5e-01\n") == 2
    assert found.step("encoder.1", "backward").values[0].check.error == pytest.approx(0.5, abs=1e-6)


def test_a_wrong_weight_gradient_shows_at_its_parameter_only():
    rng = np.random.default_rng(0)
    layer = WrongWeight(5, 5, rng=rng)
    found = flawed(layer)
    assert [(s.name, what) for s, what, _ in found.phases[0].disagreements] == [("encoder.1", "weight")]


def test_a_wrong_formula_between_layers_shows_at_the_named_value():
    model, x = small_vae()
    wrong = WrongLogvar(model.encoder, model.decoder)
    found = wrong.trace(x.astype(np.float32))
    assert by_themselves(found) == []
    step, what, _ = found.phases[0].disagreements[0]
    assert (step.name, what) == ("dlogvar", "dlogvar")
    assert step.file == __file__
    assert "dlogvar = dz * cache.eps * cache.std" in str(found)


def test_a_layer_in_a_file_of_the_user_is_read_too():
    found = flawed(DoubledTanh())
    step = found.step("encoder.1", "backward")
    assert step.place.startswith("test_trace.py:")


def test_the_model_stays_as_it_was():
    x = np.random.default_rng(0).random((4, 9)).astype(np.float32)
    model = GAN.dense(3, (5, 4), 9, rng=0)
    for p in model.parameters().values():
        p.grad += 1.5
    before = {name: p.value.copy() for name, p in model.parameters().items()}
    buffers = {name: b.copy() for name, b in model.buffers().items()}
    states = {name: g.bit_generator.state for name, g in model.generators().items()}
    assert buffers and states and model.trace(x).ok
    for name, p in model.parameters().items():
        assert np.array_equal(p.value, before[name]) and (p.grad == 1.5).all() and p.dtype == np.float32
    assert all(np.array_equal(b, buffers[name]) for name, b in model.buffers().items())
    assert all(g.bit_generator.state == states[name] for name, g in model.generators().items())
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_debugger_that_is_active_stays_active_and_two_traces_are_equal():
    x = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    y, model = np.array([0, 1, 1, 0]), MLPClassifier((3, 2), rng=0)
    first = str(model.trace(x, y))
    calls = []
    old = sys.gettrace()
    sys.settrace(lambda frame, event, argument: calls.append(event))
    try:
        second = str(model.trace(x, y))
        still = sys.gettrace()
    finally:
        sys.settrace(old)
    assert first == second and calls and still is not None


def test_labels_and_steps_of_the_user_are_traced():
    rng = np.random.default_rng(0)
    model = MLPClassifier((4, 3, 2), rng=0)
    found = model.trace(rng.standard_normal((5, 4)).astype(np.float32), np.array([0, 1, 0, 1, 1]))
    assert found.ok and found.batch == {"X": (5, 4), "y": (5,)}
    diffusion = Diffusion.dense(3, 4, 1, rng=0)
    assert diffusion.trace(rng.standard_normal((5, 3)).astype(np.float32)).ok


EXAMPLES_OF_MODELS = [e for e in EXAMPLES if e.name not in without_training_step()]


def trace_example(example):
    """The trace of an untrained model in float32."""
    rng = np.random.default_rng(3)
    model = example.build(rng)
    x = rng.random(example.shape).astype(model.dtype)
    y = np.arange(len(x)) % example.classes if example.classes else None
    return model.trace(example.text) if example.text else model.trace(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES_OF_MODELS, ids=lambda example: example.name)
def test_untrained_models_in_float32_agree_too(example):
    found = trace_example(example)
    assert found.ok, [phase.disagreements for phase in found.phases]


class DoubledRelu(ReLU):
    """A ReLU whose gradient is twice what it should be."""

    def backward(self, dout, cache, input_grad=True):
        dx = super().backward(dout, cache, input_grad)
        return None if dx is None else 2 * dx


def test_kinks_are_no_mistakes_and_hide_none():
    """With biases of 0, some units of MADE are exactly 0, where a ReLU has two slopes."""
    model, x = MADE(6, (5,), rng=0), np.random.default_rng(1).integers(0, 2, (8, 6)).astype(np.float32)
    found = model.trace(x)
    verdicts = {check.verdict for step in found.phases[0].steps for _, check in step.checks}
    assert found.ok and verdicts == {"ok", "kink"}
    assert "lie at a kink" in " ".join(str(found).split())
    model.net.relu = DoubledRelu()
    assert by_themselves(model.trace(x)) == [("net.relu", "dx")]


def test_invalid_calls_are_refused_in_one_line():
    model, x = small_vae()
    x = x.astype(np.float32)
    wrong = [
        (lambda: trace_case("VEA"), ValueError, "VEA.*VAE"),
        (lambda: trace_case("PCA"), TypeError, "PCA has no training step"),
        (lambda: trace(Linear(2, 2, rng=0), x), TypeError, "trace expected a model"),
        (lambda: trace(scratchgen.models.PCA(2), x), TypeError, "trace expected a model"),
        (lambda: model.trace(x[:, :4]), ValueError, r"VAE\.trace expected"),
        (lambda: model.trace(x, np.zeros(4, int)), (TypeError, ValueError), r"VAE\.trace"),
        (lambda: model.trace(x * np.float32(np.nan)), ValueError, r"VAE\.trace"),
        (lambda: model.trace(np.tile(x, (20, 1))), ValueError, "at most 64 examples, got 80"),
        (lambda: model.trace(x, rng=0.5), TypeError, r"VAE\.trace"),
        (lambda: model.trace(x, rng=-1), ValueError, r"VAE\.trace"),
    ]
    for call, kind, message in wrong:
        with pytest.raises(kind, match=message) as caught:
            call()
        assert "\n" not in str(caught.value) and ".fit" not in str(caught.value)


class Forgetful(Layer):
    """A layer whose backward returns a gradient of another shape."""

    def forward(self, x, training=False):
        return 2 * x, x.shape

    def backward(self, dout, shape, input_grad=True):
        return np.zeros(shape) if input_grad else None


def test_a_gradient_that_is_zero_but_should_not_be_is_found():
    assert by_themselves(flawed(Forgetful())) == [("encoder.1", "dx")]


SCALE = '''
from scratchgen import Layer

class Scale(Layer):
    """Multiply by 2.

    (MY.1)  out = 2·x
    """

    def forward(self, x, training=False):
        out = 2 * x         # (MY.1)
        return out, x.shape

    def backward(self, dout, shape, input_grad=True):
        return 2 * dout
'''


def test_equations_of_a_users_file_are_shown_and_an_edited_file_is_read_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "layer_that_is_edited.py"
    for code in (SCALE, SCALE.replace("out = 2 * x ", "\n        out = x + x ")):
        file.write_text(code, encoding="utf-8")
        sys.modules.pop("layer_that_is_edited", None)
        importlib.invalidate_caches()
        found = flawed(importlib.import_module("layer_that_is_edited").Scale())
        (line,) = found.step("encoder.1").lines
        assert line.equations[0].formula == "out = 2·x"
        assert line.statement.code.partition("  ")[0] in code and line.statement.first in (11, 12)
    assert line.statement.code.startswith("out = x + x") and line.statement.first == 12
    sys.modules.pop("layer_that_is_edited")
