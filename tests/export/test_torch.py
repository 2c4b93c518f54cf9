"""State dicts and scripts for PyTorch; with PyTorch, if it is installed, they give the same network."""

import runpy

import numpy as np
import pytest
from helpers.exported import MODELS, exportable, trained, unit

from scratchgen import export
from scratchgen.layers import ELU, GELU, LeakyReLU, Linear, ReLU, Sequential, Sigmoid, SiLU, Softplus, Tanh
from scratchgen.models import MADE, Autoencoder, ConvClassifier, MLPClassifier


@pytest.mark.slow
def test_pytorch_computes_what_every_part_of_every_model_computes(tmp_path, rng):
    torch = pytest.importorskip("torch")
    for name, model, part, each in exportable(rng):
        shape = each.shape if part == "network" else None
        script, weights = export.to_torch(model, tmp_path / "part.py", part, shape=shape)
        network = runpy.run_path(str(script))["load"](weights)
        x = rng.random((5, *each.shape), np.float32)
        expected, _ = each.net.forward(x)
        with torch.no_grad():
            out = network(torch.from_numpy(x))
        out = torch.cat(out, 1) if isinstance(out, tuple) else out
        difference = np.abs(out.numpy() - expected).max() / unit(model, expected)
        assert out.numpy().shape == expected.shape and difference <= 1e-5, (name, part, difference)


@pytest.mark.parametrize("kind", [ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh])
def test_activations_agree_at_extreme_inputs(kind, tmp_path):
    torch = pytest.importorskip("torch")
    x = np.array([[-1e3], [-90], [-30], [-1e-3], [0], [1e-3], [30], [90], [1e3]], np.float32)
    script, weights = export.to_torch(Sequential(kind()), tmp_path / "a.py", shape=(1,))
    out = runpy.run_path(str(script))["load"](weights)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(out, kind().forward(x)[0], rtol=1e-5, atol=1e-6)


def test_weights_of_pytorch_give_its_outputs(rng):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    theirs = nn.Sequential(nn.Linear(11, 8), nn.SiLU(), nn.Linear(8, 7), nn.SiLU(), nn.Linear(7, 4)).double()
    model = MLPClassifier((11, 8, 7, 4), rng=0, dtype=np.float64)
    export.from_torch_state_dict(model, theirs.state_dict())
    x = rng.standard_normal((6, 11))
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(model.net.forward(x)[0], expected, rtol=1e-12, atol=1e-12)


def test_state_dict_of_one_model_makes_another_its_copy(rng):
    for name, build in MODELS.items():
        source, copy = trained(build(), rng), trained(build(), rng)
        for part, each in export.parts(copy).items():
            export.from_torch_state_dict(copy, export.to_torch_state_dict(source, part), part)
            x = rng.random((3, *each.shape), np.float32)
            expected = export.parts(source)[part].net.forward(x)[0]
            np.testing.assert_array_equal(each.net.forward(x)[0], expected, err_msg=f"{name} {part}")


def test_layouts_and_names_are_those_of_pytorch():
    state = export.to_torch_state_dict(ConvClassifier((3, 4, 5), 9, 4, shape=(8, 8, 2), rng=0))
    shapes = {name: array.shape for name, array in state.items()}
    assert shapes["1.weight"] == (3, 2, 3, 3) and shapes["1.bias"] == (3,)
    assert shapes["10.weight"] == (9, 20) and all(array.flags.c_contiguous for array in state.values())
    state = export.to_torch_state_dict(MODELS["gan"](), "generator")
    assert list(state)[:6] == [
        "0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"
    ]  # fmt: skip


def test_script_is_one_readable_module_without_scratchgen(tmp_path):
    model = Autoencoder.convolutional(5, (4, 6), shape=(9, 10, 3), rng=0)
    text = export.torch_script(model, "encoder")
    assert "nn.Conv2d(3, 4, (4, 4), stride=(2, 2), padding=(1, 1))," in text
    assert "class ToImages" in text and "class Checkerboard" not in text and "import scratchgen" not in text
    compile(text, "script", "exec")
    with pytest.raises(ValueError, match=r"expected a path that ends in \.py"):
        export.to_torch(model, tmp_path / "a.pt", "encoder")


WRONG = [
    (lambda s: s | {"5.weight": s["0.weight"]}, ValueError, r"expected no 5\.weight"),
    (lambda s: {k: a for k, a in s.items() if k != "2.bias"}, ValueError, r"expected also 2\.bias"),
    (lambda s: s | {"0.weight": s["0.weight"].T}, ValueError, r"0\.weight of shape \(8, 5\), got \(5, 8\)"),
    (lambda s: s | {"2.bias": s["2.bias"].astype(float)}, TypeError, r"of dtype float32, got float64"),
    (lambda s: s | {"2.bias": [1.0, 2.0]}, TypeError, r"2\.bias to be an array or a tensor, got list"),
    (lambda s: list(s), TypeError, "expected a dict of arrays or tensors"),
]


@pytest.mark.parametrize(("change", "error", "message"), WRONG)
def test_state_dict_that_does_not_fit_changes_nothing(change, error, message, rng):
    model = Sequential(Linear(5, 8, rng=0), Linear(8, 7, rng=1), Linear(7, 2, rng=2))
    state = {name: array + 1 for name, array in export.to_torch_state_dict(model).items()}
    before = {name: p.value.copy() for name, p in model.parameters().items()}
    with pytest.raises(error, match=message):
        export.from_torch_state_dict(model, change(state))
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.value, before[name])
    export.from_torch_state_dict(model, state)
    np.testing.assert_array_equal(model[0].weight.value, before["0.weight"] + 1)


def test_other_masks_are_refused():
    model, other = MADE(9, 12, rng=0), MADE(9, 12, order="random", rng=1)
    with pytest.raises(ValueError, match=r"expected the mask 0\.mask of this model, got another one"):
        export.from_torch_state_dict(model, export.to_torch_state_dict(other))
