"""Exact match and BLEU: by hand, by a direct count, and against sacrebleu, if it is installed."""

import math

import numpy as np
import pytest

from scratchgen.metrics import bleu, exact_match

REFERENCE = "the cat sat on the mat"


def test_exact_match_is_a_share():
    assert exact_match(["a", "b", "c", "d"], ["a", "B", "c", "d "]) == 0.5
    assert exact_match(["a"], ["a"]) == 1


def test_bleu_by_hand():
    """(BLEU.1), (BLEU.2), (BLEU.3): 5 of 6 words, 3 of 5 pairs, 2 of 4 and 1 of 3 longer ones match."""
    found = bleu(["the cat sat on a mat"], [REFERENCE])
    assert found == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    found = bleu(["the cat sat on"], [REFERENCE])                   # all n-grams match, but it is short
    assert found == pytest.approx(100 * math.exp(1 - 6 / 4))
    assert bleu([REFERENCE + " today"], [REFERENCE]) < bleu([REFERENCE], [REFERENCE]) == pytest.approx(100)


def test_a_repeated_word_matches_as_often_as_in_the_reference():
    """The example of Papineni et al.: seven times "the" has 2/7 of its words right."""
    found = bleu(["the the the the the the the"], ["the cat is on the mat now"])
    # No longer n-gram matches, so their shares are 1/(2·6), 1/(4·5) and 1/(8·4).
    assert found == pytest.approx(100 * (2 / 7 / (2 * 6) / (4 * 5) / (8 * 4)) ** 0.25)


def test_counts_are_added_up_before_they_are_divided():
    both = bleu(["the cat sat on a mat", "a b c d e"], [REFERENCE, "a b c d e"])
    assert both == pytest.approx(100 * (10 / 11 * 7 / 9 * 5 / 7 * 3 / 5) ** 0.25)


@pytest.mark.parametrize("text", ["dog", "the cat sat", ""])
def test_bleu_is_zero_without_a_match_or_without_four_words(text):
    assert bleu([text], [REFERENCE]) == 0


def test_characters_are_compared_without_spaces():
    assert bleu(["三百 零五"], ["三百零五"], unit="characters") == pytest.approx(100)
    assert bleu(["三百零五"], ["三百零六"], unit="characters") == pytest.approx(
        100 * (3 / 4 * 2 / 3 * 1 / 2 / 2) ** 0.25
    )


@pytest.mark.parametrize("metric", [exact_match, bleu])
def test_wrong_sentences_are_refused(metric):
    who = metric.__name__
    for bad in ("abc", None, ["a", 5], np.array(["a"])):
        with pytest.raises(TypeError, match=f"^{who} expected translations to be a list of strings"):
            metric(bad, ["a"])
        with pytest.raises(TypeError, match=f"^{who} expected references to be a list of strings"):
            metric(["a"], bad)
    with pytest.raises(ValueError, match=f"^{who} expected translations and references of the same length"):
        metric(["a"], ["a", "b"])
    with pytest.raises(ValueError, match=f"^{who} expected translations to have at least one sentence"):
        metric([], [])


def random_sentences(rng, vocabulary, n):
    """Pairs of sentences that have some words in common, of 0 to 9 words."""
    pairs = []
    for _ in range(n):
        reference = rng.choice(vocabulary, rng.integers(1, 10)).tolist()
        translation = [w if rng.random() < 0.7 else str(rng.choice(vocabulary)) for w in reference]
        pairs.append((" ".join(translation[: rng.integers(0, 10)]), " ".join(reference)))
    return [list(side) for side in zip(*pairs, strict=True)]


@pytest.mark.parametrize(("unit", "tokenize"), [("words", "none"), ("characters", "char")])
def test_bleu_is_that_of_sacrebleu(unit, tokenize, rng):
    sacrebleu = pytest.importorskip("sacrebleu")
    for n in (1, 1, 1, 1, 2, 3, 5, 20, 100):
        for vocabulary in (list("abc"), [f"word{i}" for i in range(30)]):
            ours, theirs = random_sentences(rng, vocabulary, n)
            expected = sacrebleu.corpus_bleu(ours, [theirs], tokenize=tokenize).score
            assert bleu(ours, theirs, unit=unit) == pytest.approx(expected, rel=1e-12, abs=1e-12)
