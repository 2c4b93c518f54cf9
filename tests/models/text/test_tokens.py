"""Character models with byte-pair tokens, rotary positions, and dropout of the input."""

import itertools

import numpy as np
import pytest

from scratchgen.data import Alphabet, BytePairTokenizer
from scratchgen.models import CharacterModel

TEXT = "the cat sat on the mat, the hat sat on the cat, "
SMALL = {"window": 6, "features": 8, "heads": 2, "depth": 1, "dtype": np.float64}


def tokens(**settings):
    return CharacterModel(BytePairTokenizer.train(TEXT, 270), rng=0, **SMALL | settings)


@pytest.mark.parametrize("body", ["transformer", "lstm"])
def test_score_of_tokens_is_per_character(body):
    """(TXT.2) with L characters: the sum over the tokens is divided by the length of the text."""
    model, text = tokens(body=body), "the cat sat é "
    found = model.log_probabilities(text)
    ids = model.alphabet.encode(text)
    assert found.shape == ids.shape and len(ids) < len(text)
    assert model.score(text) == pytest.approx(found.sum() / len(text), rel=1e-13)
    assert model.score_samples(ids[None, :5])[0] == pytest.approx(found[:5].sum(), rel=1e-12)


def test_an_untrained_model_of_tokens_has_the_uniform_score():
    model = tokens()
    model.head.weight.value[...] = 0
    per_token = np.log(len(model.alphabet))
    assert model.score(TEXT) == pytest.approx(-per_token * len(model.alphabet.encode(TEXT)) / len(TEXT))


def test_model_of_tokens_learns_and_writes():
    model = tokens(window=12, features=16).fit(3 * TEXT, epochs=30, batch_size=2, lr=5e-3, rng=0)
    assert model.score(TEXT) > -1
    assert model.write(8, rng=0, prompt="the cat", temperature=0.1).startswith("the cat sat on ")


def test_model_of_tokens_needs_a_window_of_tokens():
    with pytest.raises(ValueError, match="at least one window, 6 tokens, got 1"):
        tokens().fit("the", epochs=1, rng=0)
    with pytest.raises(TypeError, match="score expected a string, got int"):
        tokens().score(5)


@pytest.mark.parametrize("alphabet", [Alphabet("abc"), BytePairTokenizer([(97, 98), (256, 99)])])
def test_rotary_writing_with_a_cache_equals_full_passes(alphabet):
    """Several windows: keys are rotated by their position in the window."""
    model = CharacterModel(alphabet, rotary=True, rng=3, **SMALL)
    for p in model.parameters().values():
        p.value += 0.5 * np.random.default_rng(4).standard_normal(p.shape)
    how = {"length": 30, "prompt": "abcab", "temperature": 2.0, "rng": 5}
    np.testing.assert_array_equal(model.sample(3, **how), model.sample(3, cached=False, **how))
    assert model.positions is None


def test_rotary_probabilities_of_all_windows_sum_to_one():
    model = CharacterModel(Alphabet("abc"), rotary=True, rng=3, **SMALL)
    every = np.array(list(itertools.product(range(3), repeat=4)))
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_input_dropout_drops_the_embedding_in_training_only(shared):
    model = CharacterModel(
        Alphabet("ab"), body="rnn", input_dropout=0.5, shared_dropout=shared, rng=0, **SMALL
    )
    x = np.zeros((40, 6), np.int64)
    plain = model.forward(x)[0]
    np.testing.assert_array_equal(plain, model.forward(x)[0])
    logits, cache = model.forward(x, training=True)
    assert np.abs(logits - plain).max() > 0
    assert cache.drop.mask.shape == ((40, 1, 8) if shared else (40, 6, 8))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"input_dropout": 1.0}, ValueError, "finite input_dropout >= 0 and < 1, got 1"),
        ({"rotary": True, "body": "lstm"}, ValueError, "rotary only for a transformer.*body='lstm'"),
        ({"rotary": True, "features": 6}, ValueError, "even number .* 6 features and 2 heads"),
        ({"shared_dropout": True}, ValueError, "shared_dropout only for a recurrent body"),
        ({"weight_dropout": 0.5}, ValueError, "weight_dropout only for a recurrent body"),
        ({"weight_dropout": -0.5, "body": "gru"}, ValueError, "finite weight_dropout >= 0 and < 1, got -0.5"),
        ({"rotary": 1}, TypeError, "rotary to be True or False, got 1"),
        ({"alphabet": "ab"}, TypeError, "alphabet to be an Alphabet or a BytePairTokenizer, got 'ab'"),
    ],
)
def test_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        CharacterModel(**{"alphabet": Alphabet("ab"), "rng": 0} | SMALL | settings)
