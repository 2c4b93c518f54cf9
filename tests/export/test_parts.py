"""Which models and layers can be exported, and the reasons that are given for the others."""

import inspect

import numpy as np
import pytest

from scratchgen import export, layers, models
from scratchgen.export.graph import ONNX_RULES, REASONS
from scratchgen.export.model_parts import REASONS as MODEL_REASONS
from scratchgen.export.torch_rules import TORCH_RULES
from scratchgen.layers import LSTM, BatchNorm, LayerNorm, Linear, Sequential
from scratchgen.module import Module

BASES = {"Activation", "Bijection", "Layer", "TimeNetwork"}


def test_every_layer_has_a_rule_or_a_reason():
    public = {name: getattr(layers, name) for name in layers.__all__}
    classes = {n: c for n, c in public.items() if inspect.isclass(c) and issubclass(c, Module)}
    missing = {name for name, kind in classes.items() if kind not in ONNX_RULES and name not in REASONS}
    assert missing - BASES == set() and set(REASONS) <= set(classes)
    assert set(ONNX_RULES) == set(TORCH_RULES)
    assert set(MODEL_REASONS) <= set(models.__all__)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: models.PixelCNN((4, 4, 1), channels=2, rng=0), "two stacks of convolutions"),
        (lambda: models.Diffusion.dense(features=2, rng=0), "a time beside the data"),
        (lambda: models.NearestNeighbours(), "no part of it"),
        (lambda: models.ConditionalVAE.dense(features=4, code=2, classes=3, rng=0), "also take labels"),
        (lambda: models.MADE(4, 5, classes=3, rng=0), "also takes the label"),
        (lambda: 3, "expected a model or a layer, got int"),
    ],
)
def test_models_that_cannot_be_exported_say_why(build, reason):
    with pytest.raises(export.NotExportable, match=reason) as refused:
        export.parts(build())
    assert "\n" not in str(refused.value)


def test_linear_classifier_is_exported_after_fit():
    with pytest.raises(ValueError, match="expected a trained LogisticRegression; call fit first"):
        export.parts(models.LogisticRegression())


@pytest.mark.parametrize(
    ("net", "shape", "reason"),
    [
        (lambda: Sequential(LSTM(3, 2, rng=0)), (4, 3), "LSTM: it is recurrent"),
        (lambda: layers.SelfAttention(4, 2, rng=0), (3, 4), "SelfAttention: there is no rule for attention"),
        (lambda: Linear(3, 2, rng=0), (4, 4, 3), "Linear of images"),
        (lambda: LayerNorm(3), (4, 4, 3), "LayerNorm of images"),
        (lambda: BatchNorm(3), (4, 3), "BatchNorm of sequences"),
    ],
)
def test_layers_that_cannot_be_exported_say_why(net, shape, reason, tmp_path):
    with pytest.raises(export.NotExportable, match=reason):
        export.torch_script(net(), shape=shape)
    pytest.importorskip("onnx")
    with pytest.raises(export.NotExportable, match=reason):
        export.to_onnx(net(), tmp_path / "a.onnx", shape=shape)


def test_parts_share_the_parameters_of_the_model():
    model = models.LogisticRegression(3, 2)
    net = export.parts(model)["classifier"].net
    model.weight.value[...] = 1
    assert net.forward(np.ones((1, 3), np.float32))[0].tolist() == [[3.0, 3.0]]
