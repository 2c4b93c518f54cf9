"""Saving models: a model that is loaded from a path is equal, or it is refused before anything is written."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import KINDS, answers, data, fitted
from helpers.same import expect_same
from helpers.tiny_run import Net, tiny_trainer
from helpers.tiny_run import data as tiny_data

import scratchgen
from scratchgen import (
    PCA,
    SGD,
    VAE,
    Autoencoder,
    BayesClassifier,
    ClassPriorVAE,
    DecisionTree,
    Dropout,
    EarlyStopping,
    GaussianDiscriminant,
    Layer,
    LayerNorm,
    Linear,
    LogisticRegression,
    NearestNeighbours,
    NormalPixels,
    ReLU,
    Sequential,
    SiLU,
    Tanh,
    checkpoint,
)
from scratchgen.initializers import glorot_uniform
from scratchgen.models.classical.decision_tree import Node
from scratchgen.module import Module
from scratchgen.saving import names
from scratchgen.saving.container import read_file, read_metadata, write_file
from scratchgen.training.earlier import ContinuedTraining

EACH = pytest.mark.parametrize("name", sorted(KINDS))
FILES = Path(__file__).with_name("files")


def ordered(model):
    """The attributes without caches, sorted because loading may change the order in which they were set."""
    return {name: value for name, value in sorted(vars(model).items()) if name != "_kept"}


@EACH
def test_every_model_comes_back_with_all_its_attributes_and_the_same_answers(name, tmp_path):
    model = fitted(name)
    before = answers(model, name)
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model")
    assert type(loaded) is type(model)
    expect_same(ordered(model), ordered(loaded))
    expect_same(before, answers(loaded, name))
    expect_same(before, answers(model, name), "the model that was saved")
    if isinstance(model, Module):
        assert list(loaded.parameters()) == list(model.parameters())


@EACH
def test_every_model_is_read_into_a_new_one(name, tmp_path):
    model, new = fitted(name), KINDS[name].build(np.random.default_rng(8))
    checkpoint.save_model(tmp_path / "model", model, {"a": (1, 2)})
    arrays = [p.value for p in new.parameters().values()] if isinstance(new, Module) else []
    checkpoint.load_model(tmp_path / "model", new)
    expect_same(answers(model, name), answers(new, name))
    if isinstance(new, Module):  # an optimiser may hold the arrays
        assert all(a is p.value for a, p in zip(arrays, new.parameters().values(), strict=True))
    assert checkpoint.read_config(tmp_path / "model") == {"a": (1, 2)}


@EACH
def test_every_model_can_be_saved_before_it_is_fitted(name, tmp_path):
    model = KINDS[name].build(np.random.default_rng(0))
    if name == "BayesClassifier":
        model = BayesClassifier(partial(PCA, 2))
    scratchgen.save(model, tmp_path / "model")
    assert repr(scratchgen.load(tmp_path / "model")) == repr(model)


@pytest.mark.parametrize("rows", [1, 7])
def test_answers_have_the_same_bits_for_arrays_of_any_memory_layout(tmp_path, rows):
    """Matrix products of reversed or transposed arrays may have other rounding errors."""
    X = np.random.default_rng(0).random((300, 200))
    y = np.arange(300) % 3
    models = (
        PCA(30).fit(X),
        BayesClassifier(partial(PCA, 20)).fit(X, y),
        NearestNeighbours().fit(np.asfortranarray(X), y),
        GaussianDiscriminant(shared=False, shrinkage=0.3).fit(X, y),
        GaussianDiscriminant().fit(X[:, ::-1], y),
    )
    for model in models:
        scratchgen.save(model, tmp_path / "model")
        loaded = scratchgen.load(tmp_path / "model")
        expect_same(vars(model), vars(loaded))
        for method in ("transform", "score_samples", "predict_proba"):
            if hasattr(model, method) and not (method == "score_samples" and model.likelihood is None):
                expect_same(getattr(model, method)(X[:rows]), getattr(loaded, method)(X[:rows]))


@pytest.mark.slow
def test_models_come_back_in_a_fresh_process(tmp_path):
    expected = {}
    for name in KINDS:
        model = fitted(name)
        scratchgen.save(model, tmp_path / f"{name}.model")
        expected[name] = answers(model, name)
    paths = os.pathsep.join([str(Path(scratchgen.__file__).parents[1]), str(Path(__file__).parents[1])])
    subprocess.run(
        [sys.executable, "-m", "helpers.answers", str(tmp_path)],
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    for name, before in expected.items():
        with np.load(tmp_path / f"{name}.npz") as after:
            expect_same(before, dict(after), name)


class Own(Layer):
    """A layer of two library layers, one of them used twice, with a generator, a table and a counter."""

    buffer_names = ("seen",)

    def __init__(self, width, scale=2.0, *, rng):
        self.first = Linear(width, width, rng=rng)
        self.again = self.first
        self.blocks = {"norm": LayerNorm(width), "drop": [Dropout(0.5, rng=rng), Dropout(0.5, rng=rng)]}
        self.tied = self.first.weight
        self.scale, self.kind, self.calls = scale, Tanh, 0
        self.seen = np.zeros(width, np.float32)
        self.table = np.arange(6.0)[::2]

    def forward(self, x, training=False):
        out, first = self.first.forward(x)
        out, again = self.again.forward(out)
        return out * np.float32(self.scale), (first, again)

    def backward(self, dout, cache, input_grad=True):
        dout = self.again.backward(dout * np.float32(self.scale), cache[1])
        return self.first.backward(dout, cache[0], input_grad)


def own_autoencoder(**settings):
    rng = np.random.default_rng(0)
    return Autoencoder(Own(6, rng=rng, **settings), Sequential(Linear(6, 6, rng=rng)))


def test_layers_of_the_user_come_back_with_what_they_share(tmp_path):
    model = own_autoencoder()
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model", custom=[Own])
    expect_same(vars(model), vars(loaded))
    own = loaded.encoder
    assert own.again is own.first and own.tied is own.first.weight
    assert own.blocks["drop"][0].rng is own.blocks["drop"][1].rng
    assert model.encoder.blocks["drop"][0].rng.random() == own.blocks["drop"][0].rng.random()
    own.table[0] = 5  # arrays can be written
    X = np.random.default_rng(1).random((8, 6)).astype(np.float32)
    run = {"epochs": 2, "batch_size": 4, "rng": 1, "warm_start": True}
    expect_same(*(m.fit(X, **run).transform(X) for m in (model, loaded)))


def test_class_of_the_user_is_made_only_if_it_is_passed(tmp_path):
    path = tmp_path / "model"
    scratchgen.save(own_autoencoder(), path)
    with pytest.raises(
        ValueError, match=r"model: contains Own, which is not part of scratchgen: pass custom"
    ):
        scratchgen.load(path)
    with pytest.raises(TypeError, match="load expected custom to be a list of classes and functions, got 3"):
        scratchgen.load(path, custom=[3])

    class Other(Layer):
        __qualname__ = __name__ = "Own"

    Other.__name__ = "Own"
    with pytest.raises(ValueError, match="classes and functions of different names"):
        scratchgen.load(path, custom=[Own, Other])
    both = Autoencoder(Own(6, rng=0), Other())
    with pytest.raises(ValueError, match="this Autoencoder: decoder is an object of a second class with"):
        scratchgen.save(both, path)


def double(x):
    """A function with a name."""
    return 2 * x


def test_functions_are_stored_by_name(tmp_path):
    layer = ReLU()
    layer.rule, layer.change = partial(scratchgen.initializers.normal, std=0.1), double
    layer.kinds = [np.float32, float, np.tanh, np.abs, SiLU, glorot_uniform]
    scratchgen.save(layer, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model", custom=[double])
    assert loaded.change is double and loaded.rule.keywords == {"std": 0.1}
    assert all(a is b for a, b in zip(loaded.kinds, layer.kinds, strict=True))
    assert loaded.rule.func is scratchgen.initializers.normal
    with pytest.raises(ValueError, match="contains double, which is not part of scratchgen"):
        scratchgen.load(tmp_path / "model")


class Slots:
    __slots__ = ("a",)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda x: x, "a lambda"),
        (open, "the function open"),
        (Slots(), "an object of type Slots"),
        (range, "the class range"),
        (Counter("ab"), "an object of type Counter"),
        (np.ma.array([1.0, 2.0], mask=[True, False]), "an array of type MaskedArray"),
        (np.array([object()]), "of dtype object"),
        (np.zeros(2, [("a", "f4")]), r"of dtype \[\('a', '<f4'\)\]"),
        (1 << 20000, "an int of more than 4000 digits"),
        (np.random.RandomState(0), "an object of type RandomState"),
        (iter([1]), "an object of type list_iterator"),
        (VAE.dense, "the function VAE.dense"),
    ],
    ids=lambda value: value if isinstance(value, str) else "value",
)
def test_model_with_something_else_is_refused_by_the_name_of_the_attribute(tmp_path, value, said):
    model = own_autoencoder()
    model.encoder.blocks["more"] = [1, {"deep": value}]
    for save in (
        lambda: scratchgen.save(model, tmp_path / "a"),
        lambda: checkpoint.save_model(tmp_path / "a", model),
    ):
        with pytest.raises(
            ValueError, match=rf"this Autoencoder: encoder\.blocks\.more\.1\.deep is {said}"
        ) as error:
            save()
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_model_is_refused(tmp_path):
    path = tmp_path / "a"
    for model, got in (("a", "str"), (None, "NoneType"), (PCA, "the class PCA"), (np.zeros(3), "ndarray")):
        with pytest.raises(TypeError, match=f"save expected a model, got {got}"):
            scratchgen.save(model, path)
    for wrong in (PCA(2), None, 3, 2.5, [], b"a"):
        with pytest.raises(TypeError, match=f"save expected a path, got {type(wrong).__name__}"):
            scratchgen.save(PCA(2), wrong)
        with pytest.raises(TypeError, match=f"load expected a path, got {type(wrong).__name__}"):
            scratchgen.load(wrong)
    with pytest.raises(
        TypeError, match=r"got Trainer; for a training run, use checkpoint.save\(path, trainer\)"
    ):
        scratchgen.save(tiny_trainer(), path)
    layer = ReLU()
    layer.itself = [layer]
    layer.endless = []
    layer.endless.append(layer.endless)
    with pytest.raises(ValueError, match="save cannot store this ReLU: the value is nested too deeply"):
        scratchgen.save(layer, path)
    model = Linear(2, 2, rng=0)
    model.weight.value[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"save expected finite weights and buffers, .* in weight"):
        scratchgen.save(model, path)
    assert list(tmp_path.iterdir()) == []


def vae(**settings):
    return VAE.dense((6, 5, 2), rng=0, **settings)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            lambda: vae(activation=Tanh),
            r"encoder\.1: SiLU\(\) in the file, Tanh\(\) in the model; decoder\.1: SiLU",
        ),
        (
            lambda: vae(observation=NormalPixels(2)),
            r"BernoulliPixels\(\) in the file, NormalPixels\(std=2.0\) in the",
        ),
        (lambda: vae(beta=4), r"model: beta: 1.0 in the file, 4.0 in the model$"),
        (lambda: vae(binarisation="fixed"), "binarisation: dynamic in the file, fixed in the model$"),
        (
            lambda: vae(dtype=np.float64),
            r"encoder\.0\.weight: float32 \(6, 5\) in the file, float64 \(6, 5\) in",
        ),
        (
            lambda: VAE.dense((6, 4, 2), rng=0),
            "encoder.0.out_features: 5 in the file, 4 in the model; encoder.0.weight",
        ),
        (lambda: Autoencoder.dense((6, 5, 2), rng=0), r"VAE\(.*beta=1.0\) in the file, Autoencoder\(\) in"),
        (lambda: ClassPriorVAE.dense((6, 5, 2), rng=0), "in the file, ClassPriorVAE"),
        (lambda: PCA(2), r"in the file, PCA\(n_components=2\) in the model"),
        (
            lambda: VAE(vae().encoder, Sequential(*vae().decoder.layers, Dropout(0.1, rng=0))),
            r"decoder: \[Linear\(.*in the file, \[Linear",
        ),
    ],
)
def test_loading_into_another_model_says_what_differs(tmp_path, other, said):
    path = tmp_path / "model"
    scratchgen.save(vae(), path)
    model = other()
    before = (
        repr(model),
        json.dumps([p.value.tolist() for p in getattr(model, "parameters", dict)().values()]),
    )
    with pytest.raises(ValueError, match=said) as error:
        checkpoint.load_model(path, model)
    assert "\n" not in str(error.value) and f"{path} belongs to another model: " in str(error.value)
    assert before == (
        repr(model),
        json.dumps([p.value.tolist() for p in getattr(model, "parameters", dict)().values()]),
    )


def test_weights_are_read_into_other_settings_if_asked(tmp_path):
    path, model = tmp_path / "model", vae(beta=4, activation=Tanh)
    scratchgen.save(vae().fit(np.eye(6, dtype=np.float32), epochs=1, rng=0), path)
    checkpoint.load_model(path, model, strict=False)
    expect_same(scratchgen.load(path).encoder[0].weight, model.encoder[0].weight)
    assert model.beta == 4 and isinstance(model.encoder[1], Tanh)
    with pytest.raises(ValueError, match="encoder.0.weight to be float32"):
        checkpoint.load_model(path, VAE.dense((6, 4, 2), rng=0), strict=False)


def test_classifier_of_lambdas_comes_back_fitted_and_says_why_it_cannot_be_fitted_again(tmp_path):
    X, y = data("BayesClassifier")
    model = BayesClassifier(lambda: PCA(2))
    with pytest.raises(ValueError, match="save cannot store this BayesClassifier: model is a lambda"):
        scratchgen.save(model, tmp_path / "model")
    scratchgen.save(model.fit(X, y), tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model")
    expect_same(model.predict_proba(X), loaded.predict_proba(X))
    scratchgen.save(loaded, tmp_path / "again")
    expect_same(model.predict_proba(X), scratchgen.load(tmp_path / "again").predict_proba(X))
    with pytest.raises(ValueError, match="cannot store a lambda: construct a new BayesClassifier"):
        loaded.fit(X, y)
    scratchgen.save(BayesClassifier(partial(PCA, 2)).fit(X, y), tmp_path / "model")
    expect_same(model.predict_proba(X), scratchgen.load(tmp_path / "model").fit(X, y).predict_proba(X))


def test_classifier_of_a_model_with_labels_comes_back_with_one_model(tmp_path):
    X, y = data("BayesClassifier")
    model = BayesClassifier(ClassPriorVAE.dense((6, 5, 2), classes=3, rng=0))
    model.fit(X, y, epochs=1, rng=0)
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model")
    assert all(part is loaded.model for part in loaded.models_) and len(loaded.models_) == 3
    expect_same(*(m.predict_proba(np.round(X), rng=0) for m in (model, loaded)))


def test_tree_of_any_depth_comes_back(tmp_path):
    model = DecisionTree().fit(np.arange(3.0)[:, None], [0, 1, 0])
    model.root_ = node = Node(np.array([0.5, 0.5]))
    for depth in range(3000):
        node.feature, node.threshold = 0, float(depth)
        node.left, node.right = Node(np.array([depth / 3000, 1 - depth / 3000])), Node(np.array([1.0, 0.0]))
        node = node.right
    X = np.linspace(0, 3000, 50)[:, None]
    scratchgen.save(model, tmp_path / "model")
    expect_same(model.predict_proba(X), scratchgen.load(tmp_path / "model").predict_proba(X))


class OwnEarlyStopping(EarlyStopping):
    """An EarlyStopping with another name."""


@pytest.mark.parametrize("kind", [EarlyStopping, OwnEarlyStopping])
def test_model_of_a_run_is_loaded_with_the_weights_of_its_best_epoch(tmp_path, kind):
    values = iter([3.0, 1.0, 2.0])
    path = tmp_path / "run"
    callbacks = [kind(5), checkpoint.Checkpointer(path)]
    run = tiny_trainer(3, callbacks=callbacks, validate=lambda: next(values))
    run.run()
    loaded = scratchgen.load(path, custom=[Net, type(run.model.body[2])])
    expect_same(run.model.body[0].weight, loaded.body[0].weight)
    last = read_file(path)[0]["model.body.0.weight"]
    assert not np.array_equal(last, loaded.body[0].weight.value)


def test_model_of_a_run_that_cannot_be_described_says_so(tmp_path):
    run = tiny_trainer(1)
    run.model.rule = lambda x: x
    checkpoint.save(tmp_path / "run", run)
    with pytest.raises(ValueError, match="run: rule is a lambda, which a file cannot store"):
        scratchgen.load(tmp_path / "run", custom=[Net, type(run.model.body[2])])
    model = Net(seed=8)
    checkpoint.load_model(tmp_path / "run", model)
    expect_same(run.model.body[0].weight, model.body[0].weight)


def test_loaded_model_is_trained_by_an_optimiser(tmp_path):
    model = Net()
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model", custom=[Net, type(model.body[2])])
    for net in (model, loaded):
        tiny_trainer(2, net=net, optimizer=SGD(net.parameters(), 0.1, momentum=0.5)).run()
    expect_same(*(net.body.forward(tiny_data()[0])[0] for net in (model, loaded)))


def test_file_tells_what_is_in_it(tmp_path):
    scratchgen.save(GaussianDiscriminant(shrinkage=0.3), tmp_path / "model")
    metadata = read_metadata(tmp_path / "model")
    assert metadata["format"] == "scratchgen 2" and metadata["version"] == scratchgen.__version__
    assert json.loads(metadata["model"]) == {
        "$object": "scratchgen.GaussianDiscriminant",
        "settings": ["shared", "shrinkage"],
        "attributes": {"shared": True, "shrinkage": 0.3},
    }


def test_model_of_the_former_format_is_read(tmp_path):
    path, model = FILES / "model-format-1.safetensors", vae()
    for p in model.parameters().values():
        p.value[...] = 0
    checkpoint.load_model(path, model)
    for (name, p), q in zip(model.parameters().items(), vae().parameters().values(), strict=True):
        expect_same(p, q, name)
    assert checkpoint.read_config(path) == {"code": 2}
    with pytest.raises(ValueError, match="has weights but no description of the model: use load_model"):
        scratchgen.load(path)
    with pytest.raises(ValueError, match="belongs to another model: expected model.encoder.0.weight"):
        checkpoint.load_model(path, VAE.dense((6, 4, 2), rng=0))
    with pytest.raises(ValueError, match="has weights but no description of a PCA"):
        checkpoint.load_model(path, PCA(2))


def test_fitted_attribute_replaces_the_one_of_another_fit(tmp_path):
    X, y = np.random.default_rng(0).random((30, 6)).astype(np.float32), np.arange(30) % 3
    scratchgen.save(LogisticRegression(6, 3).fit(X, y), tmp_path / "model")
    model = LogisticRegression(6, 3)
    model.converged_ = "of another fit"
    checkpoint.load_model(tmp_path / "model", model)
    assert model.converged_ is True
    fitted_before = PCA(2).fit(X)
    scratchgen.save(PCA(2), tmp_path / "model")
    checkpoint.load_model(tmp_path / "model", fitted_before)
    assert not hasattr(fitted_before, "components_")


def test_settings_that_were_changed_after_construction_are_saved(tmp_path):
    model = vae()
    model.beta, model.encoder.layers[1] = 0.25, SiLU()
    model.encoder.layers.append(LayerNorm(4))
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model")
    assert loaded.beta == 0.25 and repr(loaded.encoder) == repr(model.encoder)


class Laplace:
    """An observation model that a user wrote. It is not a layer."""

    def __init__(self, scale):
        self.scale = scale


@dataclass(frozen=True)
class Bounds:
    low: float
    high: tuple[float, ...] = (1.0, math.inf)


def test_objects_of_the_user_that_are_no_layers_come_back(tmp_path):
    model = vae()
    model.observation, model.bounds = Laplace(0.5), [Bounds(0.5), Bounds(1.5)]
    scratchgen.save(model, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model", custom=[Laplace, Bounds])
    assert loaded.observation.scale == 0.5 and loaded.bounds == model.bounds


def test_loaded_model_counts_as_trained_if_it_was(tmp_path):
    scratchgen.save(vae(), tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model").fit(np.eye(6, dtype=np.float32), epochs=1, rng=0)
    scratchgen.save(loaded, tmp_path / "model")
    loaded = scratchgen.load(tmp_path / "model")
    with pytest.warns(ContinuedTraining, match="VAE.fit continues from the weights of an earlier run"):
        loaded.fit(np.eye(6, dtype=np.float32), epochs=1, rng=0)


def test_names_of_the_library_are_unique():
    """Two classes of one name could not be told apart in a file."""
    for package in names.PLACES:
        import_module(f"scratchgen.{package}")
    for module in [m for name, m in sys.modules.items() if name.startswith("scratchgen.")]:
        for name, value in vars(module).items():
            inside = any(module.__name__.startswith(f"scratchgen.{place}") for place in names.PLACES)
            own = getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
            if inside and own and isinstance(value, type) and not issubclass(value, BaseException):
                assert module.__name__.endswith(".cases") or names.name_of(value) == f"scratchgen.{name}"


STRANGE = [
    None, True, -1, 10**12, 1.5, "x", "scratchgen.Linear", [], {}, [[]], {"$object": "os"}, {"$same": []},
    {"$object": "scratchgen.Linear", "settings": 3, "attributes": []}, {"$parameter": "x"}, {"$tuple": 5},
    {"$set": [[1]]}, {"$dict": [[1, 2], [3]]}, {"$generator": {}}, {"$class": "scratchgen.normal"},
    {"$partial": [1, 2, 3]}, {"$float": "q"}, {"$dtype": "O"}, {"$scalar": ["<f4", "00"]}, {"$path": ["X"]},
]  # fmt: skip


def places(value):
    """All (container, key) pairs in JSON."""
    if isinstance(value, dict | list):
        for key, entry in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(entry)


@pytest.mark.parametrize("name", ["DecisionTree", "NGram", "VAE", "BayesClassifier", "MADE"])
def test_description_that_was_made_up_is_refused_in_one_line(tmp_path, name):
    """Each entry of a description is replaced by unexpected values. The checksum matches the changed file."""
    path, random = tmp_path / "model", np.random.default_rng(0)
    other = KINDS[name].build(np.random.default_rng(0))
    scratchgen.save(fitted(name), path)
    tensors, metadata = read_file(path)
    refused = 0
    for i in range(75):
        description = json.loads(metadata["model"])
        found = list(places(description))
        container, key = found[random.integers(len(found))]
        container[key] = STRANGE[i % len(STRANGE)]
        write_file(path, tensors, {"config": "{}", "model": json.dumps(description)})
        for load in (lambda: scratchgen.load(path), lambda: checkpoint.load_model(path, other)):
            try:
                load()
            except ValueError as error:
                assert "\n" not in str(error) and str(path) in str(error)
                refused += 1
    assert refused > 75


def test_model_with_a_lambda_is_compared_and_read_in_a_resumed_run(tmp_path):
    """The caller builds the lambda again, so the run can be resumed. Settings are still compared."""

    class Scaled(Own):
        def __init__(self, width, scale=2.0, *, rng):
            super().__init__(width, scale, rng=rng)
            self.rule = lambda x: x
            self.own = self.own_again = Slots()

    def trainer(scale, seed=0):
        model = Autoencoder(Scaled(6, scale, rng=seed), Linear(6, 6, rng=seed))
        return model.trainer(np.eye(6, dtype=np.float32), epochs=2, batch_size=3, rng=seed)

    saved, resumed, whole = trainer(2.0), trainer(2.0, seed=5), trainer(2.0)
    saved.epochs = 1
    saved.run()
    saved.model.encoder.calls = 9
    checkpoint.save(tmp_path / "run", saved)
    with pytest.raises(ValueError, match=r"encoder.scale: 2.0 in the file, 3.0 in the model$"):
        checkpoint.load(tmp_path / "run", trainer(3.0))
    checkpoint.load(tmp_path / "run", resumed)
    assert resumed.model.encoder.calls == 9 and resumed.model.encoder.rule(3) == 3
    for run in (resumed, whole):
        run.run()
    expect_same(*(run.model.encoder.first.weight for run in (resumed, whole)))


@pytest.mark.parametrize("name", ["forward", "__class__", "dtype", "summary"])
def test_file_cannot_replace_a_method(tmp_path, name):
    path = tmp_path / "model"
    scratchgen.save(Linear(2, 2, rng=0), path)
    tensors, metadata = read_file(path)
    description = json.loads(metadata["model"])
    description["attributes"][name] = {"$function": "scratchgen.glorot_uniform"}
    write_file(path, tensors, {"config": "{}", "model": json.dumps(description)})
    with pytest.raises(ValueError, match=f"model: replaces the method Linear.{name}"):
        scratchgen.load(path)
