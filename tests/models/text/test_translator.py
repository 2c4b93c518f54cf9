"""Translator: teacher forcing, padding, the loss, greedy and beam search, cached writing, errors."""

import itertools
import math

import numpy as np
import pytest

import scratchgen
from scratchgen.data.pairs import END, Vocabulary, padded, sentence_lengths
from scratchgen.losses import smoothed_cross_entropy
from scratchgen.models import Translator
from scratchgen.models.text.search import length_divisor

BODIES = ("transformer", "gru", "lstm")
EACH_BODY = pytest.mark.parametrize("body", BODIES)
SOURCE, TARGET = Vocabulary(list("abcd")), Vocabulary(list("xyz"))
X, Y = ["abc", "d", "ba", "ccd"], ["xy", "zyx", "x", "zz"]


def translator(body="transformer", seed=0, **settings):
    """A small model with random weights, far from those of a fresh model."""
    settings = {"length": 6, "features": 8, "heads": 2, "dtype": np.float64} | settings
    model = Translator(SOURCE, settings.pop("target", TARGET), body=body, rng=seed, **settings)
    rng = np.random.default_rng(seed + 1)
    for p in model.parameters().values():
        p.value += 0.4 * rng.standard_normal(p.shape)
    return model


def encoded():
    return SOURCE.encode_all(X), TARGET.encode_all(Y)


def gradients(model, x, y):
    model.zero_grad()
    loss, cache = model.loss(x, y, training=True)
    model.backward(cache)
    return loss, {name: p.grad.copy() for name, p in model.parameters().items()}


@EACH_BODY
def test_a_token_is_predicted_from_those_before_it_and_from_the_source(body, backend):
    """(TRN.1), (TRN.2), (TRN.3), (TRN.4): a change of token t of y changes the logits behind t alone."""
    model, (x, y) = translator(body), encoded()
    logits = model.forward(x, y)[0]
    other = y.copy()
    other[1, 1] = 1                                 # "zyx" becomes "zxx"
    changed = np.abs(model.forward(x, other)[0] - logits).max(axis=2) > 1e-9
    assert changed.tolist() == [[n == 1 and t > 1 for t in range(4)] for n in range(4)]
    other = x.copy()
    other[0, 2] = 1                                 # the last token of the first source
    changed = np.abs(model.forward(other, y)[0] - logits).max(axis=2) > 1e-9
    assert changed.tolist() == [[n == 0] * 4 for n in range(4)]


@EACH_BODY
def test_loss_is_the_mean_over_the_tokens_of_all_sentences(body):
    """(TRN.5): each sentence alone, without padding, weighted with its number of tokens."""
    model, (x, y) = translator(body, smoothing=0.2), encoded()
    parts, tokens = [], []
    for source, target in zip(X, Y, strict=True):
        ids = TARGET.encode(target)
        logits = model.forward(SOURCE.encode(source)[None], ids[None])[0][0]
        parts.append(smoothed_cross_entropy(logits, ids, 0.2)[0])
        tokens.append(len(ids))
    assert tokens == [3, 4, 2, 3]
    assert model.loss(x, y)[0] == pytest.approx(np.average(parts, weights=tokens), rel=1e-12)


@EACH_BODY
def test_padding_changes_neither_loss_nor_gradients(body, backend):
    """(TRN.6): more padding of x and y, and dlogits that is zero there."""
    model, (x, y) = translator(body), encoded()
    loss, grads = gradients(model, x, y)
    wide = [np.pad(ids, ((0, 0), (0, 2))) for ids in (x, y)]
    wide_loss, wide_grads = gradients(model, *wide)
    assert wide_loss == pytest.approx(loss, rel=1e-13)
    for name, grad in grads.items():
        np.testing.assert_allclose(wide_grads[name], grad, rtol=1e-10, atol=1e-13, err_msg=name)
    dlogits = model.backward(model.loss(*wide)[1])["dlogits"]
    padding = np.arange(6) >= sentence_lengths(wide[1])[:, None]
    assert (dlogits[padding] == 0).all() and (dlogits[~padding] != 0).all()


@EACH_BODY
def test_gradients_are_sums_over_the_sentences(body):
    model, (x, y) = translator(body), encoded()
    _, together = gradients(model, x, y)
    alone = dict.fromkeys(together, 0.0)
    for source, target in zip(X, Y, strict=True):
        ids = TARGET.encode(target)
        for name, grad in gradients(model, SOURCE.encode(source)[None], ids[None])[1].items():
            alone[name] = alone[name] + grad * len(ids) / 12
    for name, grad in together.items():
        np.testing.assert_allclose(grad, alone[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_gradient_of_the_positions_is_a_sum_over_the_sentences():
    """(TRN.7): positions behind the longest sentence have no gradient, position 0 that of all sentences."""
    model, (x, y) = translator(), encoded()
    _, grads = gradients(model, x, y)
    for name in ("source_positions.weight", "target_positions.weight"):
        assert (grads[name][:2] != 0).all() and (grads[name][4:] == 0).all()
    start = grads["target_tokens.weight"][len(TARGET)]      # every sentence begins with the start, at 0
    np.testing.assert_allclose(grads["target_positions.weight"][0], start, rtol=1e-10)


@EACH_BODY
def test_input_gradients_of_the_body_are_derivatives(body, rng):
    """(ENCB.3), (TRB.1), (BIR.2), (RCB.5): dx of the source and of the target along random lines."""
    model, lengths = translator(body), np.array([3, 1])
    network = model.network
    source, target, u = (rng.standard_normal((2, 3, 8)) for _ in range(3))

    def value(source, target):
        memory, encoder = network.encode(source, lengths, False)
        h, decoder = network.decode(target, memory, lengths, False)
        return (h * u).sum(), encoder, decoder

    _, encoder, decoder = value(source, target)
    dtarget, dmemory = network.decode_backward(u, decoder)
    dsource = network.encode_backward(dmemory, encoder)
    for da, i in ((dsource, 0), (dtarget, 1)):
        v = rng.standard_normal(source.shape)
        if i == 0:
            v[1, 1:] = 0                            # the padding
        step = [1e-5 * v * (i == j) for j in range(2)]
        up, down = value(source + step[0], target + step[1]), value(source - step[0], target - step[1])
        assert (up[0] - down[0]) / 2e-5 == pytest.approx((da * v).sum(), rel=1e-7)


def test_transformer_blocks_are_sums_of_their_layers(rng):
    """(ENCB.1), (ENCB.2), (DECB.1), (DECB.2), (DECB.3)."""
    model, lengths = translator(), np.array([3, 2])
    x, memory = rng.standard_normal((2, 2, 3, 8))
    block = model.network.encoder[0]
    a = block.norm1.forward(x)[0]
    h = x + block.attention.forward(a, a, lengths=lengths)[0]
    expected = h + block.mlp.forward(block.norm2.forward(h)[0])[0]
    np.testing.assert_allclose(block.forward(x, lengths, False)[0], expected, rtol=1e-12)
    block = model.network.decoder[0]
    g = x + block.attention.forward(block.norm1.forward(x)[0])[0]
    h = g + block.cross.forward(block.norm2.forward(g)[0], memory, lengths=lengths)[0]
    expected = h + block.mlp.forward(block.norm3.forward(h)[0])[0]
    np.testing.assert_allclose(block.forward(x, memory, lengths, False)[0], expected, rtol=1e-12)


def test_recurrent_body_reads_both_ways_and_joins_state_and_context(rng):
    """(BIR.1), (RCB.1), (RCB.2), (RCB.3), (RCB.4), for sentences of 3 and 2 tokens."""
    model, lengths = translator("gru", depth=1), np.array([3, 2])
    network = model.network
    x, target = rng.standard_normal((2, 2, 3, 8))
    memory = network.encode(x, lengths, False)[0]
    for n, length in enumerate(lengths):
        layers = network.encoder[0].forwards, network.encoder[0].backwards
        there = layers[0].forward(x[n : n + 1, :length])[0][0]
        back = layers[1].forward(x[n : n + 1, :length][:, ::-1].copy())[0][0][::-1]
        np.testing.assert_allclose(memory[n, :length], np.concatenate([there, back], axis=1), rtol=1e-12)
        assert (memory[n, length:] == 0).all()
    s = network.decoder[0].forward(target)[0]
    c = network.score.forward(s, memory, lengths=lengths)[0]
    joined = np.concatenate([s, c], axis=2) @ network.join.weight.value + network.join.bias.value
    np.testing.assert_allclose(network.decode(target, memory, lengths, False)[0], np.tanh(joined), rtol=1e-12)


@EACH_BODY
def test_cached_writing_is_the_same_as_computing_all_again(body, rng, backend):
    """Also after rows were exchanged and doubled, as a beam search does."""
    model, (x, _) = translator(body), encoded()
    writers = [model._writer(x, cached) for cached in (True, False)]
    tokens = np.full(len(x), len(TARGET))
    for t in range(model.length):
        logits, again = (writer.next_logits(tokens) for writer in writers)
        np.testing.assert_allclose(logits, again, rtol=1e-10, atol=1e-12)
        rows = rng.integers(0, len(x), len(x)) if t % 2 else np.arange(len(x))
        for writer in writers:
            writer.select(rows)
        tokens = rng.integers(0, len(TARGET), len(x))


@EACH_BODY
def test_cached_translations_are_the_same(body):
    for seed in range(3):
        model = translator(body, seed)
        for beam in (1, 3):
            assert model.translate(X, beam=beam) == model.translate(X, beam=beam, cached=False)


@EACH_BODY
def test_writing_has_the_probabilities_of_the_forward_pass(body):
    """(BEAM.1), (BEAM.3): log p by the chain rule equals score_samples."""
    model = translator(body)
    for source in X:
        for target, score in model.candidates(source, beam=5, length_penalty=0.7):
            if 0 < len(target) < model.length:
                tokens = len(target) + 1            # with the end
                divisor = ((5 + tokens) / 6) ** 0.7
                assert score * divisor == pytest.approx(model.score_samples([source], [target])[0], rel=1e-9)


@EACH_BODY
def test_a_beam_of_one_is_greedy(body):
    for seed in range(4):
        model = translator(body, seed)
        for source, greedy in zip(X, model.translate(X), strict=True):
            assert [text for text, _ in model.candidates(source, beam=1)] == [greedy]


def brute_force(model, source, alpha):
    """All outputs of a model with three tokens of length 3, with their scores: computed one by one."""
    x = model.source.encode(source)[None]
    found = {}
    for size in range(1, model.length + 1):
        for tokens in itertools.product(range(1, len(model.target)), repeat=size - 1):
            for last in range(len(model.target)):
                if last != END and size < model.length:
                    continue                        # goes on, so it is not an output yet
                ids = np.array([*tokens, last])
                writer, log_p, token = model._writer(x, False), 0.0, len(model.target)
                for following in ids:
                    logits = writer.next_logits(np.array([token]))[0]
                    log_p += logits[following] - np.logaddexp.reduce(logits)
                    token = following
                found[tuple(ids)] = log_p / ((5 + size) / 6) ** alpha
    return found


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_wide_beam_finds_all_outputs_in_the_order_of_their_scores(alpha):
    """(BEAM.2), (BEAM.3): with a beam as wide as the number of outputs, nothing is lost."""
    model = translator(target=Vocabulary(["x", "y"]), length=3, depth=1, seed=3)
    scores = brute_force(model, "ab", alpha)
    assert len(scores) == 1 + 2 + 4 + 8             # "", one token, two tokens, and those without an end
    assert math.isclose(sum(np.exp(s) for s in brute_force(model, "ab", 0.0).values()), 1)
    found = model.candidates("ab", beam=15, length_penalty=alpha)
    expected = sorted(scores, key=lambda ids: -scores[ids])
    assert [text for text, _ in found] == [model.target.decode(ids) for ids in expected]
    assert [score for _, score in found] == pytest.approx([scores[ids] for ids in expected], rel=1e-9)


def test_a_narrow_beam_can_be_better_than_greedy_and_is_never_better_than_all_outputs():
    better = 0
    for seed in range(8):
        model = translator(target=Vocabulary(["x", "y"]), length=3, depth=1, seed=seed)
        best = max(brute_force(model, "ab", 0.0).values())
        one, two = (model.candidates("ab", beam=b, length_penalty=0.0)[0][1] for b in (1, 2))
        assert two <= best + 1e-12
        better += two > one + 1e-9
    assert better > 0


def test_the_length_penalty_prefers_longer_translations():
    """A score is negative, so dividing it by a larger number raises it."""
    assert length_divisor(1, 0.6) == 1 and length_divisor(7, 1.0) == 2
    model = translator()
    lengths = [len(model.translate(["abc"], beam=8, length_penalty=a)[0]) for a in (0.0, 5.0)]
    assert lengths[0] < lengths[1]


@EACH_BODY
def test_attention_maps_are_weights_over_the_tokens_of_the_source(body):
    model = translator(body)
    maps = model.attention(X, Y)
    heads = 2 if body == "transformer" else 1
    for weights, source, target in zip(maps, X, Y, strict=True):
        assert weights.shape == (heads, len(target) + 1, len(source) + 1)
        np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-12)
    np.testing.assert_allclose(maps[1], model.attention(X[1:2], Y[1:2])[0], rtol=1e-10)


@EACH_BODY
def test_a_saved_model_translates_the_same(body, tmp_path):
    model = translator(body, dtype=np.float32)
    scratchgen.save(model, tmp_path / "model.safetensors")
    again = scratchgen.load(tmp_path / "model.safetensors")
    assert again.translate(X, beam=2) == model.translate(X, beam=2)
    np.testing.assert_array_equal(again.score_samples(X, Y), model.score_samples(X, Y))
    assert repr(again) == repr(model)


def test_a_seed_is_the_same_as_its_generator_and_training_lowers_the_loss():
    found = []
    for rng in (3, np.random.default_rng(3)):
        model = Translator(SOURCE, TARGET, length=6, features=8, heads=2, depth=1, dropout=0.1, rng=0)
        x, y = encoded()
        before = model.loss(x, y)[0]
        model.fit(X, Y, epochs=8, batch_size=2, lr=0.01, rng=rng)
        found.append(model.loss(x, y)[0])
        assert found[-1] < before
    assert found[0] == found[1]


def test_a_batch_is_cut_to_its_longest_sentences():
    model, (x, y) = translator(), encoded()
    short = model.prepare((x[1:3], y[[0, 2]]), np.random.default_rng(0))
    assert [ids.tolist() for ids in short] == [[[4, 0, 0], [2, 1, 0]], [[1, 2, 0], [1, 0, 0]]]


@pytest.mark.slow
@EACH_BODY
def test_it_learns_to_reverse(body):
    """Unseen sentences, so it did not learn them by heart."""
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcd"), rng.integers(2, 6))) for _ in range(700)})
    rng.shuffle(words)
    letters = Vocabulary(list("abcd"))
    model = Translator(letters, letters, length=7, features=32, depth=1, body=body, smoothing=0.0, rng=0)
    train, test = words[:-60], words[-60:]
    epochs = 60 if body == "transformer" else 25
    model.fit(train, [w[::-1] for w in train], epochs=epochs, batch_size=32, lr=5e-3, rng=0)
    right = sum(a == b[::-1] for a, b in zip(model.translate(test), test, strict=True))
    assert right >= 54


REFUSED = [
    (["abc", ""], Y[:2], r"\(its X\) expected sentences of at least one token, got ''"),
    (X[:2], ["x", ""], r"\(its y\) expected sentences of at least one token, got ''"),
    (["abe"], ["x"], r"\(its X\) got 'e' in 'abe', which is not among the 4 characters of the vocabulary"),
    (["abcdab"], ["x"], "expected X of at most 5 tokens each, got 6: shorten them"),
    (["a"], ["xyzxyzx"], "expected y of at most 5 tokens each, got 7: shorten them"),
    ([], [], "expected X to have at least one sentence, got none"),
    (X, Y[:2], "expected X and y of the same length, got 4 and 2"),
]


@pytest.mark.parametrize(("x", "y", "message"), REFUSED)
def test_sentences_that_do_not_fit_are_refused_before_any_work(x, y, message):
    model = translator()
    with pytest.raises(ValueError, match=rf"^Translator\.fit {message}"):
        model.fit(x, y, epochs=1, rng=0)
    with pytest.raises(ValueError, match=rf"^Translator\.score_samples {message}"):
        model.score_samples(x, y)
    with pytest.raises(ValueError, match=rf"^Translator\.attention {message}"):
        model.attention(x, y)


def test_wrong_types_of_sentences_are_refused():
    model = translator()
    for bad in ("abc", None, 5, np.zeros((2, 3), int)):
        with pytest.raises(TypeError, match=r"^Translator\.translate expected sentences to be a list of"):
            model.translate(bad)
        with pytest.raises(TypeError, match=r"^Translator\.fit expected X to be a list of strings"):
            model.fit(bad, Y, epochs=1, rng=0)
    with pytest.raises(TypeError, match=r"^Translator\.translate \(its sentences\) expected sentences as"):
        model.translate(["a", 5])
    with pytest.raises(TypeError, match=r"^Translator\.candidates expected sentence to be one"):
        model.candidates(5)
    with pytest.raises(ValueError, match=r"^Translator\.fit expected labels y, the translations"):
        model.fit(X, epochs=1, rng=0, y=None)
    with pytest.raises(TypeError, match="^Translator cannot sample: it models p"):
        model.sample(3, rng=0)


@pytest.mark.parametrize(
    ("setting", "bad"),
    [("beam", [0, -1, 2.5, None, "x"]), ("length_penalty", [-1, math.nan, None, "x"]), ("cached", [None, 1])],
)
def test_wrong_settings_of_translate_are_refused(setting, bad):
    model = translator()
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=rf"^Translator\.translate expected .*{setting}"):
            model.translate(X, **{setting: value})


def test_wrong_arrays_are_refused():
    """Padding within a sentence, an empty one, one without an end, unknown numbers, another dtype."""
    model, (x, y) = translator(), encoded()
    bad = {
        "followed only by 0": [[1, 0, 2, 0]], "each row of x": [[0, 0]], "one or more tokens": [[1, 2]],
        "within 0..4, got 0 to 9": [[9, 0]], "L of 1 to 6": [[1] * 7 + [0]],
    }  # fmt: skip
    for message, rows in bad.items():
        with pytest.raises(ValueError, match=rf"^Translator\.forward expected .*{message}"):
            model.loss(np.array(rows), y[:1])
    with pytest.raises(TypeError, match=r"^Translator\.forward expected y as integers"):
        model.loss(x, y.astype(float))
    with pytest.raises(ValueError, match=r"^Translator\.forward expected x and y of the same length"):
        model.loss(x, y[:2])


def test_words_and_unknown_tokens():
    source = Vocabulary.from_sentences(["the cat sat", "the dog sat", "a dog"], unit="words", least=2)
    target = Vocabulary.from_sentences(["le chat", "le chien"], unit="words")
    model = Translator(source, target, length=5, features=4, heads=1, depth=1, rng=0)
    assert len(source) == 2 + 3 and len(target) == 1 + 3
    first, second = model.translate(["the cat", "the horse"])       # both are "the" and an unknown word
    assert first == second and set(first.split()) <= {"le", "chat", "chien"}
    assert padded([source.encode("the cat")]).tolist() == [[4, 1, 0]]
