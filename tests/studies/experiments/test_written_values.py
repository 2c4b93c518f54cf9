"""The measures of the demo of written values, with models whose answers are known."""

import numpy as np
import pytest

from scratchgen.data import Pairs, Vocabulary
from scratchgen.studies.experiments import written_values as experiment

PAIRS = Pairs(
    ["three hundred and five", "三百零五", "march 3rd, 1994", "一九九四年三月三日"],
    ["305", "305", "1994-03-03", "1994-03-03"],
)


class Known:
    """Translates every source to "305", and attends to one of the words."""

    def __init__(self, word=0):
        self.word = word
        self.source = Vocabulary.from_sentences(PAIRS.source, unit="words")

    def translate(self, sentences, beam=1):
        return ["305" for _ in sentences]

    def attention(self, X, y):
        maps = [np.zeros((1, len(b) + 1, len(self.source.encode(a)))) for a, b in zip(X, y, strict=True)]
        for weights in maps:
            weights[:, :, self.word] = 1
        return maps


def test_kinds_are_told_apart():
    kinds = [experiment.kind(s, t) for s, t in zip(PAIRS.source, PAIRS.target, strict=True)]
    assert kinds == list(experiment.KINDS)


def test_exact_translations_are_counted_by_kind():
    rows = experiment.exact_by_kind(Known(), PAIRS)
    assert [row["exact"] for row in rows.values()] == [1, 1, 0, 0, 0.5]
    assert [row["pairs"] for row in rows.values()] == [1, 1, 1, 1, 4]


@pytest.mark.parametrize(("word", "share"), [(4, 0.25), (7, 0.25), (0, 0)])
def test_each_digit_of_a_year_has_its_own_place_in_an_english_date(word, share):
    dates = experiment.of_kind(PAIRS, "english date", 5)
    assert dates.source == ["march 3rd, 1994"]
    assert experiment.looks_at_year(Known(word), dates) == share


def test_a_model_is_built_for_the_words_of_the_data_and_the_parts_differ():
    train, test = experiment.parts(60, 20, seed=0)
    assert len(train.source) == 60 and not set(train.target) & set(test.target)
    model = experiment.build(train, features=8, heads=2, depth=1, rng=0)
    assert experiment.train(model, train, epochs=1, rng=0) > 0
