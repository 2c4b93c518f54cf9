"""Which models and layers can be exported, and the reasons that are given for the others."""

import inspect

import numpy as np
import pytest
from helpers.exported import MODELS
from helpers.pages import ROOT

from scratchgen import export, layers, models
from scratchgen.data.pairs import Vocabulary
from scratchgen.export.graph import ONNX_RULES, REASONS
from scratchgen.export.model_parts import public_models
from scratchgen.export.torch_rules import TORCH_RULES
from scratchgen.layers import BatchNorm, LayerNorm, Linear
from scratchgen.module import Module


class Custom(layers.ReLU):
    """A layer without a rule."""


BASES = {"Activation", "Bijection", "Layer", "TimeNetwork"}


def test_every_layer_has_a_rule_or_a_reason():
    public = {name: getattr(layers, name) for name in layers.__all__}
    classes = {n: c for n, c in public.items() if inspect.isclass(c) and issubclass(c, Module)}
    missing = {name for name, kind in classes.items() if kind not in ONNX_RULES and name not in REASONS}
    assert missing - BASES == set() and set(REASONS) <= set(classes)
    assert not {kind.__name__ for kind in ONNX_RULES} & set(REASONS)
    assert set(ONNX_RULES) == set(TORCH_RULES)


def test_every_public_model_can_be_exported_or_has_a_reason():
    refused = export.refusals()
    built = {type(build()) for build in MODELS.values()}
    for name, kind in public_models().items():
        assert (kind in built) != (name in refused), name
    assert all(refused.values()) and "NGram" in refused and "VAE" not in refused


def test_page_has_the_table_of_refusals():
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("| not exported | because |\n|---|---|\n")
    table = rest.partition("\n\n")[0].splitlines()
    assert table == [f"| `{name}` | {reason} |" for name, reason in export.refusals().items()]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: models.NearestNeighbours(), "compares an example with the whole training set"),
        (lambda: models.Translator(Vocabulary(["a"]), Vocabulary(["b"]), rng=0), "attends to a"),
        (lambda: layers.CrossAttention(4, 2, rng=0), "CrossAttention: it attends to a second sequence"),
        (lambda: Own(), "export knows no part of this class"),
        (lambda: 3, "expected a model or a layer, got int"),
    ],
)
def test_models_that_cannot_be_exported_say_why(build, reason):
    with pytest.raises(export.NotExportable, match=reason) as refused:
        export.parts(build())
    assert "\n" not in str(refused.value)


class Own(models.Estimator):
    """A model that is not one of the library."""


def test_subclass_of_a_model_has_the_parts_of_its_base():
    class Mine(models.VAE):
        pass

    assert list(export.parts(Mine.dense(features=4, code=2, rng=0))) == ["encoder", "decoder"]


@pytest.mark.parametrize("kind", [models.LogisticRegression, models.PCA, models.GaussianDiscriminant])
def test_models_without_networks_are_exported_after_fit(kind):
    with pytest.raises(ValueError, match=f"expected a trained {kind.__name__}; call fit first"):
        export.parts(kind())


@pytest.mark.parametrize(
    ("net", "shape", "reason"),
    [
        (lambda: layers.Sequential(Custom()), (4,), "Custom: there is no rule for this class; write"),
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
