"""The experiment with verses: small letters, unknown words, and BLEU with known translations."""

import numpy as np
import pytest

from scratchgen.data import Pairs
from scratchgen.data.pairs import UNKNOWN
from scratchgen.studies.experiments import verses


def test_parts_are_in_small_letters_and_short_enough_for_the_model():
    train, test = verses.parts()
    assert train.source[0] == "in the beginning, god created the heavens and the earth."
    model = verses.build(train, rng=0, features=8, depth=1, body="gru")
    for part in (train, test):
        for vocabulary, side in ((model.source, part.source), (model.target, part.target)):
            assert all(text == text.lower() for text in side)
            assert max(len(vocabulary.encode(text)) for text in side) <= verses.LENGTH


def test_rare_words_are_unknown():
    train = Pairs(["a b", "a c"], ["x y", "x z"])
    model = verses.build(train, rng=0, features=8, depth=1, body="gru")
    assert (model.source.tokens, model.target.tokens) == (("a",), ("x",))
    assert model.target.decode(model.target.encode("x z")) == f"x {UNKNOWN}"


def test_scores_compare_tokens_with_spaces_between_them(monkeypatch):
    train, test = Pairs(["a"], ["y él dijo: no, no."]), Pairs(["a"], ["y él dijo: sí, sí."])
    model = verses.build(train, rng=0, least=1, features=8, depth=1, body="gru")
    assert verses.tokens(model, test.target) == ["y él dijo : sí , sí ."]
    monkeypatch.setattr(model, "translate", lambda source, beam: ["y él dijo : sí , sí ."])
    assert verses.score(model, test) == pytest.approx(100)
    # Of 8 words 6 are right, of 7 pairs 3, of 6 triples 2, and one of 5 sequences of four.
    expected = 100 * (6 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25
    assert verses.without_source(train, test, model) == pytest.approx(expected)


def test_training_lowers_the_loss():
    train = Pairs(*(side[:40] for side in verses.parts()[0]))
    model = verses.build(train, rng=0, features=8, depth=1, body="gru")
    ids = model.source.encode_all(train.source), model.target.encode_all(train.target)
    before = model.loss(*ids)[0]
    assert verses.train(model, train, epochs=4, rng=0, lr=1e-2) > 0
    assert np.isfinite(before) and model.loss(*ids)[0] < before - 0.3
