"""The cards: each family has one, and everything that they list exists."""

import re
import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from scratchgen import models
from scratchgen.cli.catalogue import entries
from scratchgen.data import load_digits
from scratchgen.studies.cards import Card, Trainable, cards
from scratchgen.studies.compare.contender import Contender
from scratchgen.studies.compare.study import contenders
from scratchgen.studies.ood.detectors import detectors
from scratchgen.studies.spaces import SPACES

ROOT = Path(__file__).resolve().parents[2]


def test_each_family_has_a_card_and_each_card_a_family():
    assert tuple(cards()) == models.FAMILIES
    folder = ROOT / "scratchgen" / "studies" / "cards"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "card"}
    assert modules == set(models.FAMILIES)


def test_names_are_listed_once_over_all_cards():
    for part in ("contenders", "detectors"):
        names = [entry.name for card in cards().values() for entry in getattr(card, part)]
        assert len(set(names)) == len(names)
    for part in ("reproductions", "benchmarks"):
        names = [name for card in cards().values() for name in getattr(card, part)]
        assert len(set(names)) == len(names)
    trained = [trainable.model for card in cards().values() for trainable in card.trainable]
    assert len(set(trained)) == len(trained)


def test_listed_modules_exist_and_no_others():
    for part, folder, others in (
        ("reproductions", ROOT / "scratchgen" / "studies" / "reproduce",
         {"__init__", "recipe", "record", "denoising", "gans", "likelihoods", "pictures", "quality"}),
        ("benchmarks", ROOT / "benchmarks" / "steps", {"__init__"}),
    ):
        listed = {name for card in cards().values() for name in getattr(card, part)}
        assert listed == {path.stem for path in folder.glob("*.py")} - others


@pytest.mark.parametrize("contender", contenders(), ids=lambda contender: contender.name)
def test_contender_is_consistent_with_its_model(contender):
    """Encoding and decoding give the right shapes; the kinds of likelihood include the model's own."""
    model = contender.seeded()
    x = contender.space.prepare(load_digits("embedded").x_test[:2])
    assert contender.space in SPACES
    kinds = list(contender.log_prob(model, x))
    assert kinds[:1] == ([] if model.likelihood is None else [model.likelihood])
    if contender.latent is not None:
        rng = np.random.default_rng(0)
        z = model.prior_sample(2, rng=rng)
        assert contender.latent.sample(model, z, rng).shape == x.shape
        assert contender.latent.encode(model, x).shape == z.shape
    assert (contender.pixel_std is not None) == hasattr(getattr(model, "observation", None), "std")


@pytest.mark.parametrize("family", models.FAMILIES)
def test_interpolation_in_latent_codes_requires_inverse_transform(family):
    card = cards()[family]
    if "latent code" in card.interpolate_in:
        public = import_module(f"scratchgen.models.{family}").__all__
        assert any(hasattr(getattr(models, name), "inverse_transform") for name in public)


def test_no_study_asks_for_the_class_of_a_model():
    for path in (ROOT / "scratchgen" / "studies").rglob("*.py"):
        for call in re.findall(r"isinstance\([^)]*\)", path.read_text(encoding="utf-8")):
            assert not set(re.findall(r"\w+", call)) & set(models.__all__), (path, call)


def test_new_family_takes_part_when_it_is_in_families(monkeypatch):
    """The comparison, the OOD study and the command find the card of a new family."""
    pca = detectors()["pca"]
    contender = Contender(
        name="a new model", family="new", space=SPACES[0], minimises="KL", build=lambda rng: None, settings={}
    )

    class New(models.PCA):
        def __init__(self, size: "int"):
            super().__init__(size)

    card = Card(
        title="new",
        contenders=(contender,),
        detectors=(type(pca)(name="new", title="new", build=pca.build, scores=pca.scores),),
        trainable=(Trainable(New, {"standard": {"size": 3}}),),
    )
    module = types.ModuleType("scratchgen.studies.cards.new")
    module.CARD = card
    monkeypatch.setitem(sys.modules, module.__name__, module)
    family = types.ModuleType("scratchgen.models.new")
    family.New, family.__all__ = New, ["New"]
    monkeypatch.setitem(sys.modules, family.__name__, family)
    monkeypatch.setattr(models, "FAMILIES", (*models.FAMILIES, "new"))
    assert contenders()[-1] is contender
    assert list(detectors())[-1] == "new" and list(entries())[-1] == "new"


def test_family_without_a_card_is_an_error(monkeypatch):
    monkeypatch.setattr(models, "FAMILIES", (*models.FAMILIES, "forgotten"))
    with pytest.raises(ModuleNotFoundError, match="scratchgen.studies.cards.forgotten"):
        cards()
