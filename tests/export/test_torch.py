"""State dicts and scripts for PyTorch; with PyTorch, if it is installed, they give the same network."""

import runpy

import numpy as np
import pytest
from helpers.exported import MODELS, exportable, inputs, trained, unit

from scratchgen import export
from scratchgen.layers import (
    ELU,
    GELU,
    GRU,
    LSTM,
    RNN,
    BatchNorm,
    Conv2d,
    Flatten,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    SpectralNorm,
    Tanh,
)
from scratchgen.models import MADE, Autoencoder, ConvClassifier, MLPClassifier
from scratchgen.models.gan.heads import Branches


@pytest.mark.slow
def test_pytorch_computes_what_every_part_of_every_model_computes(tmp_path, rng):
    torch = pytest.importorskip("torch")
    for name, model, part, each in exportable(rng):
        shape = each.shape if part == "network" else None
        script, weights = export.to_torch(model, tmp_path / "part.py", part, shape=shape)
        network = runpy.run_path(str(script))["load"](weights)
        given = inputs(each, 5, rng)
        expected = each.forward(*given.values())
        with torch.no_grad():
            out = network(*map(torch.from_numpy, given.values()))
        out = torch.cat(out, -1) if isinstance(out, tuple) else out
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
            for flatten in ("nhwc", "nchw") if not each.computed else ():
                state = export.to_torch_state_dict(source, part, flatten=flatten)
                export.from_torch_state_dict(trained(copy, rng), state, part, flatten=flatten)
                given = inputs(each, 3, rng).values()
                expected = export.parts(source)[part].forward(*given)
                np.testing.assert_array_equal(each.forward(*given), expected, err_msg=f"{name} {part}")


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


def test_weights_that_are_computed_from_data_cannot_be_loaded():
    model = MODELS["pca"]()
    with pytest.raises(export.NotExportable, match="weights of a PCA, which `fit` computes"):
        export.from_torch_state_dict(model, export.to_torch_state_dict(model, "decoder"), "decoder")


def flattened_by_channel(images):
    """(N, H, W, C) as nn.Flatten orders the numbers of (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


HEADS = [
    lambda: Linear(24, 5, rng=0),
    lambda: SpectralNorm(Linear(24, 5, rng=0)),
    lambda: Sequential(ReLU(), BatchNorm(24), Sequential(LayerNorm(24), Linear(24, 5, rng=0))),
    lambda: Branches(Linear(24, 2, rng=0), Sequential(ReLU(), Linear(24, 3, rng=1))),
]


@pytest.mark.parametrize("head", HEADS)
def test_columns_after_a_flatten_are_reordered(head, rng):
    net = trained(Sequential(Conv2d(3, 4, 1, rng=0), Flatten(), head()), rng)
    x = rng.standard_normal((3, 2, 3, 3)).astype(np.float32)
    expected = net.forward(x)[0]
    state = export.to_torch_state_dict(net, shape=(2, 3, 3), flatten="nchw")
    # The layers after the flatten, as they are in PyTorch: with the numbers of the image in its order.
    rows = trained(Sequential(Sequential(), Sequential(), head()), rng)
    export.from_torch_state_dict(rows, {n: a for n, a in state.items() if n[0] == "2"}, shape=(24,))
    given = flattened_by_channel(net[0].forward(x)[0])
    np.testing.assert_allclose(rows[2].forward(given)[0], expected, atol=1e-6)
    plain = export.to_torch_state_dict(net, shape=(2, 3, 3))
    export.from_torch_state_dict(rows, {n: a for n, a in plain.items() if n[0] == "2"}, shape=(24,))
    assert np.abs(rows[2].forward(given)[0] - expected).max() > 0.1


def test_outputs_before_an_unflatten_are_reordered(rng):
    layers = [Linear(5, 24, rng=0), BatchNorm(24), ReLU()]
    net = trained(Sequential(*layers, Reshape(2, 3, 4), Conv2d(4, 2, 1, rng=0)), rng)
    z = rng.standard_normal((3, 5)).astype(np.float32)
    expected = Sequential(*layers).forward(z)[0].reshape(3, 2, 3, 4)
    state = export.to_torch_state_dict(net, flatten="nchw")
    rows = Sequential(Linear(5, 24, rng=1), BatchNorm(24), ReLU())
    export.from_torch_state_dict(rows, {name: a for name, a in state.items() if name[0] in "01"})
    np.testing.assert_allclose(rows.forward(z)[0], flattened_by_channel(expected), atol=1e-6)


def test_flattened_images_are_reordered_for_pytorch_networks(rng):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    theirs = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4 * 5, 3)
    )
    own = Sequential(
        Conv2d(1, 4, 3, padding=1, rng=0), ReLU(), MaxPool2d(2), Flatten(), Linear(4 * 4 * 5, 3, rng=1)
    )
    export.from_torch_state_dict(own, theirs.state_dict(), shape=(8, 10, 1), flatten="nchw")
    x = rng.standard_normal((6, 8, 10, 1)).astype(np.float32)
    expected = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2))).detach().numpy()
    np.testing.assert_allclose(own.forward(x)[0], expected, atol=1e-5)


def test_layers_that_use_the_order_of_a_flattened_image_are_refused():
    net = Sequential(Conv2d(3, 4, 1, rng=0), Flatten(), GroupNorm(2, 24), Linear(24, 5, rng=0))
    with pytest.raises(export.NotExportable, match="a Linear after a flattened image, got GroupNorm"):
        export.to_torch_state_dict(net, shape=(2, 3, 3), flatten="nchw")
    with pytest.raises(ValueError, match="flatten"):
        export.to_torch_state_dict(net, shape=(2, 3, 3), flatten="chw")


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_recurrent_layers_have_the_names_and_biases_of_pytorch(kind, rng):
    net, copy = (trained(Sequential(kind(3, 4, rng=0)), rng) for _ in range(2))
    state = export.to_torch_state_dict(net, shape=(5, 3))
    assert set(state) == {f"0.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    moved = 0.1 * np.arange(len(state["0.bias_ih_l0"]), dtype=np.float32)
    if kind is GRU:
        moved[2 * 4 :] = 0          # the biases of the candidate are two parameters
    state["0.bias_ih_l0"] += moved
    state["0.bias_hh_l0"] -= moved
    export.from_torch_state_dict(copy, state, shape=(5, 3))
    x = rng.standard_normal((2, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(copy.forward(x)[0], net.forward(x)[0], atol=1e-6)
    with pytest.raises(ValueError, match=r"0\.weight_ih_l0 of shape \(\d+, 3\)"):
        export.from_torch_state_dict(copy, state | {"0.weight_ih_l0": moved}, shape=(5, 3))
    del state["0.bias_hh_l0"]
    with pytest.raises(ValueError, match=r"expected also 0\.bias_hh_l0"):
        export.from_torch_state_dict(copy, state, shape=(5, 3))


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_weights_of_recurrent_layers_of_pytorch_give_their_outputs(name, rng):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, name)(3, 4, batch_first=True)
    own = Sequential({"RNN": RNN, "GRU": GRU, "LSTM": LSTM}[name](3, 4, rng=0))
    state = {f"0.{key}": value for key, value in theirs.state_dict().items()}
    export.from_torch_state_dict(own, state, shape=(5, 3))
    x = rng.standard_normal((2, 5, 3)).astype(np.float32)
    expected = theirs(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(own.forward(x)[0], expected, atol=1e-6)
