"""The mixture of models of text: its probabilities, its weights, and its samples."""

import itertools
import math

import numpy as np
import pytest

from scratchgen.data import Alphabet, BytePairTokenizer
from scratchgen.models import CharacterModel, NGram, TextMixture
from scratchgen.models.text.mixture import fit_weights, mix
from scratchgen.training.model_files import load, save

ALPHABET = Alphabet("abcd")
TRAIN, HELD_OUT, TEST = "abcabdabcabdab" * 6, "abcabcabdab" * 3, "dabcabca"


def net(seed=0, **settings):
    settings = {"window": 6, "features": 8, "heads": 2, "depth": 1} | settings
    model = CharacterModel(ALPHABET, rng=seed, **settings)
    return model.fit(TRAIN, epochs=2, batch_size=4, lr=1e-2, rng=seed)


@pytest.fixture(scope="module")
def members():
    return [net(body="gru"), net(1), NGram(ALPHABET, 3).fit(TRAIN)]


@pytest.fixture(scope="module")
def mixture(members):
    return TextMixture(members).fit(HELD_OUT)


def test_probabilities_are_the_weighted_mean():
    """(LMIX.1) by hand: 0.25·0.2 + 0.75·0.6 = 0.5 and 0.25·0.4 + 0.75·0.8 = 0.7."""
    log_p = np.log([[0.2, 0.4], [0.6, 0.8]])
    np.testing.assert_allclose(mix(log_p, np.array([0.25, 0.75])), np.log([0.5, 0.7]), rtol=1e-14)
    np.testing.assert_allclose(mix(log_p, np.array([0.0, 1.0])), log_p[1], rtol=1e-14)


def test_weights_of_models_that_never_agree_are_shares():
    """Model k alone can predict the characters of its share: w_k is this share, 0.1, 0.6 and 0.3."""
    which = np.repeat([0, 1, 2], [1, 6, 3])
    log_p = np.where(np.arange(3)[:, None] == which, np.log(0.5), np.log(1e-300))
    np.testing.assert_allclose(fit_weights(log_p), [0.1, 0.6, 0.3], rtol=1e-12)


def test_weight_has_the_closed_form_of_two_characters():
    """p = (0.8, 0.2) and (0.2, 0.5): the derivative of log(0.2 + 0.6w) + log(0.5 − 0.3w) is 0 at w = ⅔."""
    weights = fit_weights(np.log([[0.8, 0.2], [0.2, 0.5]]))
    np.testing.assert_allclose(weights, [2 / 3, 1 / 3], atol=2e-3)  # the likelihood is flat there: (LMIX.4)


def test_weights_agree_with_a_grid(rng):
    log_p = np.log(rng.dirichlet(np.ones(5), size=(3, 200))[..., 0])
    fitted = mix(log_p, fit_weights(log_p)).mean()
    steps = 50
    grid = [
        mix(log_p, np.array([i, j, steps - i - j]) / steps).mean()
        for i, j in itertools.product(range(steps + 1), repeat=2)
        if i + j <= steps
    ]
    assert max(grid) - 1e-6 <= fitted <= max(grid) + 1e-3


def test_steps_never_lower_the_likelihood_and_the_gap_bounds_what_is_missing(rng):
    """(LMIX.2, LMIX.3): the shares, by hand. (LMIX.4): a bound on the distance to the best."""
    log_p = np.log(rng.uniform(0.05, 1, (4, 60)))
    best = mix(log_p, fit_weights(log_p)).mean()
    weights, before = np.array([0.7, 0.1, 0.1, 0.1]), -np.inf
    for _ in range(20):
        p = np.exp(log_p)
        shares = weights[:, None] * p / (weights @ p)           # (LMIX.2)
        now = np.log(weights @ p).mean()
        assert now >= before - 1e-15
        assert best - now <= (p / (weights @ p)).mean(axis=1).max() - 1 + 1e-12
        weights, before = shares.mean(axis=1), now              # (LMIX.3)
        assert weights.sum() == pytest.approx(1, rel=1e-13)


def test_a_useless_model_gets_no_weight(rng):
    good = np.log(rng.uniform(0.5, 0.9, 300))
    weights = fit_weights(np.stack([good, good - 3]))
    assert weights[1] < 1e-4
    equal = fit_weights(np.stack([good, good]))
    np.testing.assert_allclose(equal, [0.5, 0.5], rtol=1e-12)


def test_probabilities_sum_to_one_over_all_texts(mixture):
    """Of all 64 texts of three characters."""
    texts = ["".join(t) for t in itertools.product(ALPHABET.characters, repeat=3)]
    total = sum(math.exp(mixture.log_likelihood(text)) for text in texts)
    assert total == pytest.approx(1, rel=1e-6)                  # the nets compute in float32


def test_score_is_the_mean_log_of_the_mixed_probabilities(mixture, members):
    p = np.exp([model.log_probabilities(TEST) for model in members])
    assert mixture.score(TEST) == pytest.approx(np.log(mixture.weights_ @ p).mean(), rel=1e-12)
    assert mixture.weights_.sum() == pytest.approx(1, rel=1e-14)
    assert mixture.score(HELD_OUT) >= max(model.score(HELD_OUT) for model in members) - 1e-6


def test_next_character_is_what_scoring_says(mixture, members):
    """For each model and for the mixture, while the texts grow over several windows."""
    text = ALPHABET.encode("abcabdabcadbca")
    other = ALPHABET.encode("dabcabcadcbaab")
    for model in [*members, mixture]:
        predict = model.next_character(2)
        for i in range(len(text)):
            log_p = predict(np.stack([text[:i], other[:i]]))
            assert log_p.shape == (2, 4)
            np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=1e-6)
            for row, ids in zip(log_p, (text, other), strict=True):
                known = model.log_probabilities(ALPHABET.decode(ids[: i + 1]))[-1]
                assert row[ids[i]] == pytest.approx(known, abs=1e-5)


def test_mixture_of_mixtures_is_a_mixture(members):
    inner = TextMixture(members[:2])
    outer = TextMixture([inner, members[2]])
    flat = TextMixture(members)
    flat.weights_ = np.array([0.25, 0.25, 0.5])
    np.testing.assert_allclose(outer.log_probabilities(TEST), flat.log_probabilities(TEST), rtol=1e-12)
    np.testing.assert_array_equal(
        outer.sample(2, rng=0, length=20, prompt="ab"), flat.sample(2, rng=0, length=20, prompt="ab")
    )


def test_samples_follow_the_probabilities(mixture):
    n = 4000
    texts = mixture.sample(n, rng=0, length=2, prompt="ab")
    counts = np.bincount(texts @ [4, 1], minlength=16)
    before = mixture.log_likelihood("ab")
    pairs = ["ab" + "".join(t) for t in itertools.product(ALPHABET.characters, repeat=2)]
    p = np.exp([mixture.log_likelihood(text) - before for text in pairs])
    assert p.sum() == pytest.approx(1, rel=1e-5)
    assert np.all(np.abs(counts - n * p) < 5 * np.sqrt(n * p) + 3)
    likeliest = mixture.sample(1, rng=0, length=1, prompt="ab", top_k=1)[0, 0]
    assert likeliest == p.reshape(4, 4).sum(axis=1).argmax()


def test_saved_mixture_is_the_same(mixture, tmp_path):
    save(mixture, tmp_path / "mixture.safetensors")
    again = load(tmp_path / "mixture.safetensors")
    np.testing.assert_array_equal(again.weights_, mixture.weights_)
    assert again.score(TEST) == mixture.score(TEST)
    np.testing.assert_array_equal(again.sample(1, rng=0, length=9), mixture.sample(1, rng=0, length=9))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda m: TextMixture(m[:1]), ValueError, "a list of two or more models, got \\[Char"),
        (lambda m: TextMixture([m[0], 3]), TypeError, "expected models of characters, got 3"),
        (
            lambda m: TextMixture([m[0], NGram(Alphabet("abc"), 2)]), ValueError,
            r"expected models of the same alphabet, got Alphabet\('abcd'\) and Alphabet\('abc'\)",
        ),
        (
            lambda m: TextMixture([m[0], CharacterModel(BytePairTokenizer.train(TRAIN, 260), rng=0)]),
            TypeError, "expected models of characters, got CharacterModel",
        ),
        (lambda m: TextMixture(m).fit("abz"), ValueError, "TextMixture.fit got an unknown character 'z'"),
        (lambda m: TextMixture(m).fit(""), ValueError, "TextMixture.fit expected at least one character"),
        (lambda m: TextMixture(m).fit("ab", "y"), ValueError, "TextMixture.fit expected no labels"),
        (lambda m: TextMixture(m).sample(0, rng=0), ValueError, "sample expected n of at least 1"),
        (lambda m: TextMixture(m).sample(1, rng=0, length=0), ValueError, "expected length of at least 1"),
        (lambda m: TextMixture(m).sample(1, rng=0, top_k=0), ValueError, "expected top_k of at least 1"),
        (lambda m: TextMixture(m).sample(1, rng=0, prompt="z"), ValueError, "unknown character 'z'"),
    ],
)  # fmt: skip
def test_mixture_refuses(members, build, error, message):
    with pytest.raises(error, match=message):
        build(members)
