"""ONNX files: onnx's checker accepts them, and onnxruntime computes what the models compute."""

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.exported import MODELS, exportable, inputs, trained, unit

from scratchgen import export
from scratchgen.export.graph import ONNX_RULES
from scratchgen.layers import (
    ELU,
    GELU,
    LeakyReLU,
    Linear,
    ReLU,
    Scaling,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from scratchgen.models import MADE, VAE, Autoencoder, MLPClassifier, RealNVP


def run(path, x):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, x if isinstance(x, dict) else {"x": x})


@pytest.mark.slow
def test_onnxruntime_computes_what_every_part_of_every_model_computes(tmp_path, rng):
    onnx = pytest.importorskip("onnx")
    path, largest = tmp_path / "part.onnx", 0.0
    for name, model, part, each in exportable(rng):
        shape = each.shape if part == "network" else None
        assert export.to_onnx(model, path, part, shape=shape) == path
        onnx.checker.check_model(str(path), full_check=True)
        for n in (1, 5):
            given = inputs(each, n, rng)
            expected = each.forward(*given.values())
            out = np.concatenate(run(path, given), axis=-1)
            assert out.dtype == expected.dtype and out.shape == expected.shape, (name, part)
            difference = np.abs(out - expected).max() / unit(model, expected)
            assert difference <= 1e-5, (name, part, difference)
            largest = max(largest, difference)
    assert largest > 0


# The name of a model, a part, the method that computes the same, and the inputs for which it is called.
METHODS = [
    ("convolutional autoencoder", "encoder", "transform"),
    ("convolutional autoencoder", "decoder", "inverse_transform"),
    ("vae", "encoder", "posterior"),
    ("vae", "decoder", "inverse_transform"),
    ("convolutional vae", "decoder", "inverse_transform"),
    ("conditional vae", "encoder", "posterior"),
    ("conditional vae", "decoder", "inverse_transform"),
    ("class prior vae", "encoder", "posterior"),
    ("pca", "encoder", "transform"),
    ("pca", "decoder", "inverse_transform"),
    ("dcgan", "generator", "inverse_transform"),
    ("dcgan", "discriminator", "critic_score"),
    ("convolutional conditional gan", "generator", "inverse_transform"),
    ("convolutional conditional gan", "discriminator", "critic_score"),
    ("conditional gan with projection", "discriminator", "critic_score"),
    ("wgan", "discriminator", "critic_score"),
    ("svm", "classifier", "decision_function"),
    ("gaussian naive bayes", "classifier", "log_joint"),
    ("gaussian discriminant", "classifier", "log_joint"),
    ("quadratic discriminant", "classifier", "log_joint"),
    ("nice", "forward", "transform"),
    ("convolutional real nvp", "inverse", "inverse_transform"),
]


@pytest.mark.parametrize(("name", "part", "method"), METHODS)
def test_parts_compute_what_their_methods_return(name, part, method, rng):
    model = trained(MODELS[name](), rng)
    found = export.parts(model)[part]
    assert found.method == method
    given = inputs(found, 4, rng)
    expected = getattr(model, method)(*given.values())
    expected = np.concatenate(expected, axis=1) if isinstance(expected, tuple) else expected
    out = found.forward(*given.values())
    np.testing.assert_allclose(out.reshape(expected.shape), expected, rtol=1e-6, atol=1e-6)


def test_bernoulli_naive_bayes_is_a_linear_classifier_of_zeros_and_ones(rng):
    model = MODELS["bernoulli naive bayes"]()
    x = rng.integers(0, 2, (6, 5)).astype(np.float64)
    out = export.parts(model)["classifier"].forward(x)
    np.testing.assert_allclose(out, model.log_joint(x), rtol=1e-12)


@pytest.mark.parametrize("label", [0, 2, 3])
def test_denoiser_takes_images_times_and_labels(label, rng):
    model = trained(MODELS["diffusion of images"](), rng)
    x = rng.random((4, model.features), np.float32)
    y = None if label == model.classes else np.full(4, label)
    expected = model.predict_at(x, 0.25, y)
    assert str(export.parts(model)["denoiser"].inputs[2]) == "y (N,) of integers from 0 to 3"
    given = x, np.full(4, 0.25, np.float32), np.full(4, label)
    np.testing.assert_allclose(export.parts(model)["denoiser"].forward(*given), expected, atol=1e-6)


def test_outputs_of_info_gan_are_those_of_both_networks(tmp_path, rng):
    pytest.importorskip("onnx")
    model = trained(MODELS["convolutional info gan"](), rng)
    x = rng.random((4, model.features), np.float32)
    logits, codes = run(export.to_onnx(model, tmp_path / "a.onnx", "discriminator"), x)
    assert logits.shape == (4, 1) and codes.shape == (4, 6)
    np.testing.assert_allclose(logits[:, 0], model.critic_score(x), atol=1e-5)
    np.testing.assert_array_equal(codes[:, :4].argmax(axis=1), model.infer_codes(x)[:, 0])


def test_logits_of_a_character_model_are_those_of_the_model(rng):
    for name in ("transformer", "transformer with rotary positions", "character lstm", "character gru"):
        model = trained(MODELS[name](), rng)
        part = export.parts(model)["logits"]
        x = inputs(part, 3, rng)["x"]
        np.testing.assert_allclose(part.forward(x), model.forward(x)[0], atol=1e-6)


def test_logits_of_made_are_those_of_each_ordering(rng):
    model = trained(MADE(9, 12, orderings=2, rng=0), rng)
    x = rng.integers(0, 2, (4, 9)).astype(np.float32)
    for ordering in range(2):
        out = export.parts(model)[f"logits_{ordering}"].forward(x)
        np.testing.assert_allclose(out, model.logits(x, ordering=ordering)[0], rtol=1e-6, atol=1e-6)


def test_logits_of_made_depend_on_the_label(rng):
    model = trained(MODELS["made with classes"](), rng)
    given = inputs(export.parts(model)["logits"], 4, rng)
    out = export.parts(model)["logits"].forward(*given.values())
    np.testing.assert_allclose(out, model.logits(*given.values())[0], rtol=1e-6, atol=1e-6)


def test_file_names_its_inputs_outputs_and_weights(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = VAE.dense(features=6, hidden=5, code=2, rng=0, activation=Tanh, dtype=np.float64)
    graph = onnx.load(export.to_onnx(model, tmp_path / "a.onnx", "encoder")).graph
    (x,) = graph.input
    kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert x.name == "x" and x.type.tensor_type.shape.dim[0].dim_param == "N"
    assert [output.name for output in graph.output] == ["mean", "logvar"]
    assert kinds == {onnx.TensorProto.DOUBLE} and graph.name == "VAE.encoder"
    assert "encoder.0.weight" in {array.name for array in graph.initializer}
    mean, logvar = run(tmp_path / "a.onnx", np.ones((3, 6)))
    for out, expected in zip((mean, logvar), model.posterior(np.ones((3, 6))), strict=True):
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


EXTREME = np.array([[-1e3], [-90], [-30], [-1e-3], [0], [1e-3], [30], [90], [1e3]], np.float32)


@pytest.mark.parametrize("kind", [ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh])
def test_activations_agree_at_extreme_inputs(kind, tmp_path):
    net = Sequential(kind())
    expected, _ = net.forward(EXTREME)
    pytest.importorskip("onnx")
    (out,) = run(export.to_onnx(net, tmp_path / "a.onnx", shape=(1,)), EXTREME)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_own_layer_needs_a_rule(tmp_path):
    pytest.importorskip("onnx")

    class Mine(SiLU):
        pass

    net = Sequential(Linear(3, 2, rng=0), Mine())
    with pytest.raises(export.NotExportable, match=r"cannot write a Mine.*@export\.onnx_rule\(Mine\)"):
        export.to_onnx(net, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()
    try:
        export.onnx_rule(Mine)(lambda graph, layer, x: graph.node("Relu", x.name))
        (out,) = run(export.to_onnx(net, tmp_path / "a.onnx"), np.ones((1, 3), np.float32))
    finally:
        ONNX_RULES.pop(Mine, None)
    np.testing.assert_allclose(out, np.maximum(net[0].forward(np.ones((1, 3), np.float32))[0], 0), atol=1e-6)


def test_missing_package_is_named_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'^to_onnx needs .* pip install "scratchgen\[onnx\]"$'):
        export.to_onnx(MLPClassifier(rng=0), tmp_path / "a.onnx")


def test_bad_paths_and_parts_are_refused_before_anything_is_written(tmp_path):
    pytest.importorskip("onnx")
    model = Autoencoder.dense((5, 2), rng=0)
    with pytest.raises(IsADirectoryError):
        export.to_onnx(model, tmp_path, "decoder")
    for part in (None, "generator"):
        with pytest.raises(ValueError, match=r"expected part to be one of encoder, decoder, got"):
            export.to_onnx(model, tmp_path / "a.onnx", part)
    with pytest.raises(ValueError, match=r"expected shape, that of one example"):
        export.to_onnx(Sequential(SiLU()), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match="expected shape only for a layer"):
        export.to_onnx(model, tmp_path / "a.onnx", "decoder", shape=(5,))
    assert list(Path(tmp_path).iterdir()) == []


def test_flow_of_an_unknown_bijection_has_no_inverse(tmp_path):
    pytest.importorskip("onnx")

    class Other(Scaling):
        pass

    model = RealNVP([Other(3)], 3)
    with pytest.raises(export.NotExportable, match="inverse of a Other"):
        export.to_onnx(model, tmp_path / "a.onnx", "inverse")


def test_classifier_without_a_network_is_named(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="^export expected a trained MLPClassifier; call fit first$"):
        export.to_onnx(MLPClassifier(rng=0), tmp_path / "a.onnx")
