"""The n-gram baseline: probabilities by hand, sums, and tuning."""

import itertools
import math

import numpy as np
import pytest

from scratchgen.data.text import Alphabet, load_text, split_text
from scratchgen.models import NGram

TEXT = "abracadabra, abracadabra"


@pytest.fixture
def alphabet():
    return Alphabet(TEXT + "z")


def test_ngram_probability_is_the_mixture_by_hand(alphabet):
    """(NGR.1), (NGR.2): "b" after "a" in "abac": 1 of 2 after "a", 1 of 4 anywhere, 1/8 before that."""
    model = NGram(alphabet, order=2, strength=0.5).fit("abac")
    assert len(alphabet) == 8
    anywhere = (1 + 0.5 * 3 / 8) / (4 + 0.5 * 3)
    assert model.probability("b", "") == pytest.approx(anywhere, rel=1e-14)
    after_a = (1 + 0.5 * 2 * anywhere) / (2 + 0.5 * 2)
    assert model.probability("b", "a") == pytest.approx(after_a, rel=1e-14)
    assert model.probability("b", "ca") == pytest.approx(after_a, rel=1e-14)      # only "a" counts


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("strength", [0.3, 1.0, 8.0])
def test_ngram_probabilities_sum_to_one_after_every_context(alphabet, order, strength):
    model = NGram(alphabet, order, strength).fit(TEXT)
    for context in ["", *(TEXT[max(i - 5, 0) : i] for i in range(1, len(TEXT))), "zzz", "az", "za"]:
        p = [model.probability(c, context) for c in alphabet.characters]
        assert min(p) > 0
        assert sum(p) == pytest.approx(1, rel=1e-13)


def test_ngram_log_probabilities_are_those_of_probability(alphabet):
    model = NGram(alphabet, 3).fit(TEXT)
    expected = [math.log(model.probability(c, "zabra"[:i])) for i, c in enumerate("zabra")]
    np.testing.assert_allclose(model.log_probabilities("zabra"), expected)


def test_longer_contexts_fit_the_counted_text_better(alphabet):
    scores = [NGram(alphabet, order).fit(TEXT).score(TEXT) for order in (1, 2, 3, 5)]
    assert scores == sorted(scores)


def test_ngram_is_tuned_on_its_own_text_only():
    text = load_text()[:6000]
    alphabet = Alphabet(text)
    model = NGram.tuned(alphabet, text, orders=(1, 2, 3), strengths=(1.0, 4.0))
    train, held = text[:5400], text[5400:]
    scores = {
        (order, strength): NGram(alphabet, order, strength).fit(train).score(held)
        for order in (1, 2, 3)
        for strength in (1.0, 4.0)
    }
    assert (model.order, model.strength) == max(scores, key=scores.__getitem__)
    assert model.counts == NGram(alphabet, model.order).fit(text).counts


@pytest.mark.slow
def test_tuned_baseline_on_the_book_is_the_one_of_the_chapter():
    """n = 9 and strength 8 give 1.374 nats per character; with strength 1, the best is n = 5, 1.519 nats."""
    text = load_text()
    (train, test), alphabet = split_text(text), Alphabet(text)
    tuned = NGram.tuned(alphabet, train)
    assert (tuned.order, tuned.strength) == (9, 8)
    assert tuned.score(test) == pytest.approx(-1.3737, abs=1e-4)
    assert NGram(alphabet, 5).fit(train).score(test) == pytest.approx(-1.5190, abs=1e-4)


def test_fit_replaces_earlier_counts(alphabet):
    model = NGram(alphabet, 2).fit("zzzz")
    assert model.fit(TEXT).counts == NGram(alphabet, 2).fit(TEXT).counts


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: NGram(a, 0), "NGram expected order of at least 1, got 0"),
        (lambda a: NGram(a, 2, 0.0), "NGram expected a finite strength > 0, got 0.0"),
        (lambda a: NGram(a).probability("a", ""), r"not fitted yet; call fit\(text\) first"),
        (lambda a: NGram(a).fit("ab").probability("Q", "a"), "unknown character 'Q'"),
        (lambda a: NGram(a).fit("ab").probability("ab", ""), "expected one character, got 'ab'"),
        (lambda a: NGram(a).fit(""), "NGram.fit expected at least one character"),
        (lambda a: NGram(a).fit("aQ"), "unknown character 'Q'"),
        (lambda a: NGram(a).fit("ab").score(""), "expected at least one character"),
    ],
)
def test_ngram_refuses(alphabet, call, message):
    with pytest.raises(ValueError, match=message):
        call(alphabet)


@pytest.mark.parametrize(("prompt", "order"), [("", 3), ("abra", 3), ("z", 2), ("a", 1)])
def test_ngram_samples_follow_the_probabilities_of_the_table(alphabet, prompt, order):
    """The counts of the 512 texts of three characters against p(c1)·p(c2 | c1)·p(c3 | c1 c2)."""
    model = NGram(alphabet, order).fit(TEXT)
    n, size = 20_000, len(alphabet)
    texts = model.sample(n, rng=0, length=3, prompt=prompt)
    assert texts.shape == (n, 3) and texts.dtype == np.int64
    counts = np.bincount(texts @ [size**2, size, 1], minlength=size**3)
    p = np.array([
        math.prod(model.probability(text[i], prompt + "".join(text[:i])) for i in range(3))
        for text in itertools.product(alphabet.characters, repeat=3)
    ])
    assert p.sum() == pytest.approx(1, rel=1e-12)
    frequent = n * p >= 5
    observed = np.append(counts[frequent], counts[~frequent].sum())
    expected = n * np.append(p[frequent], p[~frequent].sum())
    statistic = ((observed - expected) ** 2 / expected).sum()
    freedom = len(expected) - 1
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)


def test_ngram_sample_is_a_function_of_the_seed_and_refuses_bad_arguments(alphabet):
    model = NGram(alphabet, 3)
    with pytest.raises(ValueError, match="call fit"):
        model.sample(1, rng=0)
    model.fit(TEXT)
    np.testing.assert_array_equal(model.sample(2, rng=5), model.sample(2, rng=np.random.default_rng(5)))
    assert set(alphabet.decode(model.sample(1, rng=0)[0])) <= set(alphabet.characters)
    for name, given in (("n", {"n": 0}), ("length", {"n": 1, "length": 0})):
        with pytest.raises(ValueError, match=f"^NGram.sample expected {name} of at least 1, got 0"):
            model.sample(rng=0, **given)
    with pytest.raises(ValueError, match="unknown character 'q'"):
        model.sample(1, rng=0, prompt="q")
