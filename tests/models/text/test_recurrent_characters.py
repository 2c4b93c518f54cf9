"""The character model with a recurrent body: carried states, scores, sampling, training, saving, errors."""

import itertools

import numpy as np
import pytest

import scratchgen
from scratchgen.data.text import Alphabet
from scratchgen.models import CharacterModel
from scratchgen.models.text import writing
from scratchgen.models.text.bodies import CELLS

TEXT = "the cat sat on the mat, the hat sat on the cat, "


def small(body, characters="abc", **settings):
    settings = {"window": 4, "features": 5, "depth": 2, "dtype": np.float64} | settings
    rng = np.random.default_rng(2)
    model = CharacterModel(Alphabet(characters), body=body, rng=rng, **settings)
    for p in model.parameters().values():
        p.value += 0.5 * rng.standard_normal(p.shape).astype(p.dtype)
    return model


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("body", CELLS)
def test_sampling_with_a_carried_state_equals_sampling_with_the_whole_text(body):
    """The texts are equal, and longer than the window."""
    model = small(body)
    for prompt in ("", "cab"):
        how = {"length": 17, "prompt": prompt, "temperature": 2.0, "rng": 5}
        carried, whole = (model.sample(3, cached=cached, **how) for cached in (True, False))
        assert (carried == whole).all() and len(np.unique(carried)) > 1


def test_each_character_is_read_once_in_sampling(monkeypatch):
    model, steps = small("lstm"), []
    read = type(model.blocks).read

    def counted(self, h, states):
        steps.append(h.shape[1])
        return read(self, h, states)

    monkeypatch.setattr(type(model.blocks), "read", counted)
    model.sample(2, length=6, prompt="ab", rng=0)
    assert steps == [3, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("body", CELLS)
def test_score_is_that_of_one_pass_over_the_whole_text(body, rng, monkeypatch):
    """Also if the text is scored in several parts."""
    model, ids = small(body), rng.integers(3, size=23)
    log_p = log_softmax(model.forward(ids[None])[0])[0, np.arange(23), ids]
    text = model.alphabet.decode(ids)
    np.testing.assert_allclose(model.log_probabilities(text), log_p, rtol=1e-12)
    monkeypatch.setattr(writing, "READ_AT_ONCE", 5)
    np.testing.assert_allclose(model.log_probabilities(text), log_p, rtol=1e-12)
    np.testing.assert_allclose(model.score_samples(ids[None]), log_p.sum(), rtol=1e-12)


@pytest.mark.parametrize("body", CELLS)
def test_logits_do_not_depend_on_the_same_or_later_characters(body, rng):
    model, x = small(body), rng.integers(3, size=(2, 6))
    logits = model.forward(x)[0]
    for t in range(6):
        other = x.copy()
        other[:, t] = (other[:, t] + 1) % 3
        moved = np.abs(model.forward(other)[0] - logits).max(axis=(0, 2)) > 0
        assert moved.tolist() == [s > t for s in range(6)]


def test_probabilities_of_all_texts_sum_to_one():
    every = np.array(list(itertools.product(range(3), repeat=4)))
    assert np.exp(small("gru").score_samples(every)).sum() == pytest.approx(1, rel=1e-12)


def test_recurrent_body_has_no_positions_and_no_heads():
    model = CharacterModel(Alphabet("abc"), features=5, heads=4, body="rnn", depth=1, rng=0)
    assert list(model.parameters()) == [
        "characters.weight", "blocks.0.weight", "blocks.0.recurrent_weight", "blocks.0.bias",
        "norm.weight", "norm.bias", "head.weight", "head.bias",
    ]  # fmt: skip


def test_recurrent_model_memorises_a_tiny_text():
    model = CharacterModel(Alphabet(TEXT), window=24, features=32, body="lstm", depth=1, rng=4)
    model.fit(3 * TEXT, epochs=60, batch_size=2, lr=1e-2, rng=4)
    assert model.log_probabilities(3 * TEXT)[12:].mean() > -0.1
    assert model.write(20, rng=1, prompt="the cat sat ", temperature=0.1).startswith("the cat sat on the ")


def test_saved_model_is_the_same(tmp_path):
    model = small("gru", dropout=0.2)
    scratchgen.save(model, tmp_path / "model.safetensors")
    loaded = scratchgen.load(tmp_path / "model.safetensors")
    assert loaded.body == "gru" and loaded.score("abcab") == model.score("abcab")


def test_unknown_body_is_refused():
    message = "CharacterModel expected body to be one of transformer, lstm, gru, rnn, got 'mamba'"
    with pytest.raises(ValueError, match=message):
        CharacterModel(Alphabet("abc"), body="mamba", rng=0)


def test_recurrent_model_refuses_windows_without_characters():
    with pytest.raises(ValueError, match=r"windows \(N, T\) with T of 1 or more, got \(2, 0\)"):
        small("lstm").score_samples(np.ones((2, 0), int))
