"""The character model: its formulas, dependencies, likelihood, sampling and errors."""

import itertools
import math

import numpy as np
import pytest

from scratchgen.data.text import Alphabet
from scratchgen.distributions import Categorical
from scratchgen.models import CharacterModel
from scratchgen.models.text.writing import FullWriter
from scratchgen.training.checkpoint import load, save

TEXT = "the cat sat on the mat, the hat sat on the cat, "


def small(rng, characters="abc", **settings):
    settings = {"window": 4, "features": 6, "heads": 2, "depth": 2, "dtype": np.float64} | settings
    model = CharacterModel(Alphabet(characters), rng=rng, **settings)
    for p in model.parameters().values():
        p.value += 0.5 * rng.standard_normal(p.shape).astype(p.dtype)
    return model


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_logits_are_the_layers_one_after_another(rng):
    """(CHR.1) the shift, (CHR.2) both embeddings, (CHR.3) blocks, norm and head."""
    model, x = small(rng), np.array([[2, 0, 1, 1], [0, 0, 2, 1]])
    inputs = np.array([[3, 2, 0, 1], [3, 0, 0, 2]])
    h = model.characters.weight.value[inputs] + model.positions.weight.value
    for block in model.blocks.layers:
        h = block.forward(h)[0]
    expected = model.norm.forward(h)[0] @ model.head.weight.value + model.head.bias.value
    np.testing.assert_allclose(model.forward(x)[0], expected, rtol=1e-12)


def test_loss_is_the_mean_over_all_characters(rng):
    """(CHR.4) the loss, and (CHR.5) its gradient with respect to the logits."""
    model, x = small(rng), rng.integers(3, size=(5, 4))
    loss, cache = model.loss(x)
    log_p = log_softmax(model.forward(x)[0])
    picked = [log_p[n, t, x[n, t]] for n in range(5) for t in range(4)]
    assert loss == pytest.approx(-sum(picked) / 20, rel=1e-13)
    grads = model.backward(cache)
    np.testing.assert_allclose(grads["dlogits"], (np.exp(log_p) - np.eye(3)[x]) / 20, atol=1e-15)


def test_positions_collect_the_gradient_of_all_examples(rng):
    """(CHR.6) dW_positions = Σₙ dh₀."""
    model = small(rng)
    grads = model.backward(model.loss(rng.integers(3, size=(5, 3)))[1])
    np.testing.assert_allclose(model.positions.weight.grad[:3], grads["dh"].sum(axis=0), rtol=1e-13)
    assert not model.positions.weight.grad[3].any()


def test_logits_do_not_depend_on_the_same_or_later_characters(rng):
    model, x = small(rng), rng.integers(3, size=(2, 4))
    logits = model.forward(x)[0]
    for t in range(4):
        other = x.copy()
        other[:, t] = (other[:, t] + 1) % 3
        moved = np.abs(model.forward(other)[0] - logits).max(axis=(0, 2)) > 0
        assert moved.tolist() == [s > t for s in range(4)]


def test_probabilities_of_all_windows_sum_to_one(rng):
    """(TXT.1): the factors of the chain rule make one distribution, over all 3⁴ windows and over all 3²."""
    model = small(rng)
    for length in (2, 4):
        every = np.array(list(itertools.product(range(3), repeat=length)))
        assert np.exp(model.score_samples(every)).sum() == pytest.approx(1, rel=1e-12)


def test_score_perplexity_and_bits_are_of_one_likelihood(rng):
    """(TXT.2) nats per character, (TXT.3) perplexity, (TXT.4) bits."""
    model, text = small(rng), "abcacbacbbca"
    mean = model.log_probabilities(text).mean()
    assert model.score(text) == pytest.approx(mean, rel=1e-14)
    assert model.perplexity(text) == pytest.approx(math.exp(-mean), rel=1e-14)
    assert model.bits(text) == pytest.approx(-mean / math.log(2), rel=1e-14)
    model.head.weight.value[...], model.head.bias.value[...] = 0, 0
    assert model.perplexity(text) == pytest.approx(3, rel=1e-12)


@pytest.mark.parametrize("window", [4, 5])
@pytest.mark.parametrize("length", [1, 4, 5, 6, 7, 8, 13])
def test_long_text_is_read_in_windows_that_overlap(window, length, rng):
    """Each character is predicted in the same window as in sampling."""
    model = small(rng, window=window)
    ids, kept = rng.integers(3, size=length), window // 2
    expected, start = [], 0
    for i in range(length):
        if i - start == window:
            start = i - kept
        seen = ids[start : i + 1]
        expected.append(log_softmax(model.forward(seen[None])[0])[0, -1, seen[-1]])
    found = model.log_probabilities(model.alphabet.decode(ids))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_writing_moves_its_window_where_scoring_does(rng):
    """In every window, the writer's probability of the next character is the one in the score."""
    model = small(rng, window=5)
    ids = rng.integers(3, size=20)
    scored, writer = model.log_probabilities(model.alphabet.decode(ids)), FullWriter(model)
    for i in range(20):
        log_p = log_softmax(writer.next_logits(ids[None, :i]))[0]
        assert log_p[ids[i]] == pytest.approx(scored[i], rel=1e-12)


def test_training_cuts_windows_at_every_place_but_the_last(rng):
    """All forty characters are different, so the first character of a window shows where it starts."""
    text = "".join(map(chr, range(48, 88)))
    model = CharacterModel(Alphabet(text), window=4, features=4, heads=1, depth=1, rng=rng)
    seen = []
    model.loss = lambda x, **_: (seen.append(x), CharacterModel.loss(model, x))[1]
    model.fit(text, epochs=40, batch_size=9, rng=rng)
    cut = np.concatenate(seen)
    assert (np.diff(cut, axis=1) == 1).all()
    assert len(cut) == 40 * 9 and set(cut[:, 0]) == set(range(36))


def test_draw_inverts_the_distribution_function():
    logits = np.log(np.array([[0.2, 0.5, 0.3]] * 6))
    u = np.array([0.0, 0.19, 0.21, 0.69, 0.71, 1 - 1e-16])
    assert Categorical.sample(logits, u).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("prompt", "dtype"), [("", np.float64), ("abcab", np.float64), ("cab", np.float32)])
def test_cached_writing_draws_what_naive_writing_draws(prompt, dtype, rng):
    """The texts are equal over several windows."""
    model = small(rng, window=6, dtype=dtype)
    how = {"length": 40, "prompt": prompt, "temperature": 2.0}
    sampled = [
        model.sample(3, rng=np.random.default_rng(5), cached=cached, **how) for cached in (True, False)
    ]
    assert (sampled[0] == sampled[1]).all()
    assert sampled[0].shape == (3, 40) and len(np.unique(sampled[0])) > 1


def test_samples_have_the_declared_probabilities(rng):
    """Frequencies of all 9 two-character texts against exp(score_samples)."""
    model, n = small(rng, window=2), 20_000
    sampled = model.sample(n, rng=rng, length=2)
    every = np.array(list(itertools.product(range(3), repeat=2)))
    expected = np.exp(model.score_samples(every))
    found = np.array([(sampled == pair).all(axis=1).mean() for pair in every])
    assert (np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all()


def test_low_temperature_writes_the_likeliest_character(rng):
    model = small(rng)
    sampled = model.sample(1, rng=rng, length=4, temperature=1e-4)
    assert (sampled[0] == model.forward(sampled)[0][0].argmax(axis=1)).all()


def test_write_begins_with_its_prompt(rng):
    text = small(rng).write(7, rng=rng, prompt="cab")
    assert text.startswith("cab") and len(text) == 10


def test_same_seeds_give_the_same_weights_and_the_same_text():
    def run():
        rng = np.random.default_rng(3)
        model = CharacterModel(Alphabet(TEXT), window=8, features=8, heads=2, depth=1, dropout=0.2, rng=rng)
        return model.fit(TEXT, epochs=3, batch_size=4, rng=rng).write(30, rng=rng)

    assert run() == run()


def test_model_memorises_a_tiny_text():
    rng = np.random.default_rng(4)
    model = CharacterModel(Alphabet(TEXT), window=24, features=32, heads=2, depth=1, rng=rng)
    model.fit(3 * TEXT, epochs=100, batch_size=2, lr=3e-3, rng=rng)
    assert model.log_probabilities(3 * TEXT)[12:96].mean() > -0.1      # after 12 or more characters
    text = model.write(20, rng=rng, prompt="the cat sat ", temperature=0.1)
    assert text.startswith("the cat sat on the ")


def test_resumed_run_equals_a_whole_run(tmp_path):
    def trainer(epochs):
        rng = np.random.default_rng(6)
        model = CharacterModel(Alphabet(TEXT), window=8, features=8, heads=2, depth=1, dropout=0.3, rng=rng)
        return model.trainer(TEXT, epochs=epochs, batch_size=2, rng=rng)

    whole, half, rest = trainer(4), trainer(2), trainer(4)
    whole.run()
    half.run()
    save(tmp_path / "run.safetensors", half)
    load(tmp_path / "run.safetensors", rest)
    rest.run()
    for name, p in whole.model.parameters().items():
        assert (p.value == rest.model.parameters()[name].value).all(), name
    assert whole.history.steps == rest.history.steps


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.sample(1, rng=None, prompt="abd"), ValueError, "unknown character 'd'.* at position 2"),
        (lambda m: m.sample(0, rng=None), ValueError, "n of at least 1, got 0"),
        (lambda m: m.sample(1, rng=None, length=0), ValueError, "length of at least 1, got 0"),
        (lambda m: m.sample(1, rng=None, temperature=0), ValueError, "finite temperature > 0, got 0"),
        (lambda m: m.fit("abc", epochs=1, rng=None), ValueError, "at least one window, 4 characters, got 3"),
        (lambda m: m.fit("abcdef", epochs=1, rng=None), ValueError, "unknown character 'd'"),
        (lambda m: m.score(""), ValueError, "expected at least one character"),
        (lambda m: m.loss(np.ones((2, 4))), TypeError, "expected integers.* got dtype float64"),
        (lambda m: m.loss([[1, 2]]), TypeError, "expected integers.* got list"),
        (lambda m: m.loss(np.ones((2, 5), int)), ValueError, r"with T of 1 to 4, got \(2, 5\)"),
        (lambda m: m.score_samples(np.ones((0, 4), int)), ValueError, r"expected windows \(N, T\)"),
        (lambda m: m.score_samples(np.array([[0, 3]])), ValueError, r"within 0\.\.2, got 0 to 3"),
    ],
)
def test_character_model_refuses(call, error, message, rng):
    with pytest.raises(error, match=message):
        call(small(rng))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 1}, "window of at least 2, got 1"),
        ({"depth": 0}, "depth of at least 1, got 0"),
        ({"heads": 4}, "features divisible by the 4 heads, got 6"),
        ({"dropout": 1.0}, "finite dropout >= 0 and < 1, got 1"),
    ],
)
def test_character_model_refuses_settings(settings, message, rng):
    settings = {"window": 4, "features": 6, "heads": 2, "depth": 1} | settings
    with pytest.raises(ValueError, match=message):
        CharacterModel(Alphabet("ab"), rng=rng, **settings)
    with pytest.raises(TypeError, match="to be an Alphabet or a BytePairTokenizer, got 'ab'"):
        CharacterModel("ab", rng=rng)
