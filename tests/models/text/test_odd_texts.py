"""Every method of every model of text refuses unsuitable texts and sentences, with a message of one line.

The message says what was expected, what was given, and what to do.
"""

import io
import re
from pathlib import Path

import numpy as np
import pytest

from scratchgen import models
from scratchgen.data import Alphabet, BytePairTokenizer, Vocabulary, split_text
from scratchgen.models import CharacterModel, NGram, TextMixture, Translator
from scratchgen.models.text.base import TextModel

ALPHABET, TEXT = Alphabet("abc "), "abc cab " * 20
SMALL = {"window": 4, "features": 6, "heads": 2, "depth": 1, "rng": 0}
ONE_EPOCH = {"epochs": 1, "rng": 0, "warm_start": True}
BUILD = {
    "CharacterModel": lambda: CharacterModel(ALPHABET, **SMALL),
    "CharacterModel gru": lambda: CharacterModel(ALPHABET, body="gru", **SMALL),
    "CharacterModel tokens": lambda: CharacterModel(BytePairTokenizer([(97, 98)]), **SMALL),
    "NGram": lambda: NGram(ALPHABET, 3).fit(TEXT),
    "TextMixture": lambda: TextMixture([NGram(ALPHABET, order).fit(TEXT) for order in (1, 3)]),
}
STRING = {
    "None": (None, "expected a string, got NoneType$"),
    "bytes": (b"abc", r"expected a string, got bytes; pass text\.decode\(\)$"),
    "numbers": ([0, 1, 2], r"expected a string, got list; pass alphabet\.decode\(ids\)$"),
    "an array of numbers": (np.array([0, 1]), r"got ndarray; pass alphabet\.decode\(ids\)$"),
    "a list of strings": (["abc", "a"], r'got list; pass ""\.join\(text\)$'),
    "an array of strings": (np.array(["abc", "a"]), r'got ndarray; pass ""\.join\(text\.tolist\(\)\)$'),
    "a path": (Path("a.txt"), r"got \w+Path; read the file first, with path\.read_text\(encoding="),
    "a file": (io.StringIO("abc"), r"got StringIO; pass file\.read\(\)$"),
    "lists of different lengths": ([[0], [0, 1]], "expected a string, got list$"),
    "a number": (2.5, "expected a string, got float$"),
}


@pytest.fixture(scope="module")
def fitted():
    return {name: build() for name, build in BUILD.items()}


def calls(name, model, text, empty=False):
    """(method, function) for every method that takes a text; if `empty`, those that refuse an empty text."""
    settings = ONE_EPOCH if name.startswith("CharacterModel") else {}
    yield "fit", lambda: model.fit(text, **settings)
    for method in ("score", "log_probabilities", "log_likelihood", "perplexity", "bits"):
        yield method, lambda m=method: getattr(model, m)(text)
    if name == "NGram":
        yield "probability", lambda: model.probability(text, "a")
    if empty:
        return
    yield "sample", lambda: model.sample(1, rng=0, length=2, prompt=text)
    if hasattr(model, "write"):
        yield "write", lambda: model.write(2, rng=0, prompt=text)
    if name == "NGram":
        yield "probability", lambda: model.probability("a", text)


def refused(call, start, *message):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    found = str(caught.value)
    assert found.startswith(start) and "\n" not in found, found
    for part in message:
        assert re.search(part, found), found


def test_every_model_of_text_is_tested():
    public = [getattr(models, name) for name in models.__all__]
    of_text = {m.__name__ for m in public if isinstance(m, type) and issubclass(m, TextModel)}
    assert {*of_text, "Translator"} == {name.split()[0] for name in (*BUILD, "Translator")}


@pytest.mark.parametrize("kind", STRING)
@pytest.mark.parametrize("name", BUILD)
def test_what_is_not_a_string_is_refused_with_a_hint(fitted, name, kind):
    text, message = STRING[kind]
    for method, call in calls(name, fitted[name], text):
        refused(call, f"{name.split()[0]}.{method} ", message)


@pytest.mark.parametrize("name", BUILD)
def test_an_empty_text_is_refused_where_a_text_is_needed(fitted, name):
    for method, call in calls(name, fitted[name], "", empty=True):
        refused(call, f"{name.split()[0]}.{method} expected at least one character, got an empty")


@pytest.mark.parametrize("name", [name for name in BUILD if not name.endswith("tokens")])
@pytest.mark.parametrize(("text", "shown"), [("abXc", r"'X' \(U\+0058\)"), ("ab\nc", r"'\\n' \(U\+000A\)")])
def test_an_unknown_character_is_named_with_its_position(fitted, name, text, shown):
    """Also one that cannot be printed."""
    for method, call in calls(name, fitted[name], text):
        message = f"got an unknown character {shown} at position 2: replace or remove it, or build the model"
        refused(call, f"{name.split()[0]}.{method} ", message, "the alphabet is ' abc'$")


def test_a_large_alphabet_is_not_printed_as_a_whole():
    model = NGram(Alphabet("".join(map(chr, range(0x4E00, 0x4E00 + 5000)))))
    with pytest.raises(ValueError, match="unknown character 'a'") as caught:
        model.fit("a")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", BUILD)
def test_a_text_much_longer_than_the_window_is_read(fitted, name):
    text = "abc cab " * 250
    model = fitted[name]
    found = model.log_probabilities(text)
    assert np.isfinite(found).all() and model.score(text) == pytest.approx(found.sum() / len(text))
    assert model.sample(1, rng=0, length=3, prompt=text).shape == (1, 3)


WRONG_SETTINGS = [
    ({"n": 0}, "expected n of at least 1, got 0"), ({"n": "x"}, "expected n to be an int, got 'x'"),
    ({"length": 0}, "expected length of at least 1, got 0"),
    ({"length": 2.5}, "expected length to be an int, got 2.5"),
    ({"rng": None}, "expected rng to be a numpy.random.Generator or an integer seed, got None"),
]  # fmt: skip
OF_LOGITS = [
    ({"temperature": 0}, "expected a finite temperature > 0, got 0"),
    ({"temperature": "hot"}, "expected a finite temperature > 0, got 'hot'"),
    ({"top_k": 0}, "expected top_k of at least 1, got 0"),
    ({"top_p": 2}, "expected a finite top_p > 0 and <= 1, got 2"),
]
OF_FIT = [
    ({"epochs": -1}, "expected epochs of at least 0, got -1"),
    ({"epochs": 1.5}, "expected epochs to be an int, got 1.5"),
    ({"batch_size": 0}, "expected batch_size of at least 1, got 0"),
    ({"lr": -1}, "expected a finite lr >= 0, got -1"),
    ({"rng": "x"}, "expected rng to be a numpy.random.Generator or an integer seed, got str 'x'"),
    ({"validation_data": 5}, "expected validation_data, X or .*: .* expected a string, got int"),
    ({"clip": 0}, "expected a finite clip > 0, got 0"),
]


@pytest.mark.parametrize("name", BUILD)
def test_wrong_settings_are_named(fitted, name):
    model, who = fitted[name], name.split()[0]
    for settings, message in WRONG_SETTINGS + (OF_LOGITS if name != "NGram" else []):
        refused(lambda s=settings: model.sample(**{"n": 1, "rng": 0} | s), f"{who}.sample ", message)
    if who != "CharacterModel":
        refused(lambda: model.fit(TEXT, [1]), f"{who}.fit expected no labels y")
        return
    for settings, message in OF_FIT:
        refused(lambda s=settings: model.fit(TEXT, **ONE_EPOCH | s), f"{who}.fit ", message)
    refused(lambda: model.sample(1, rng=0, cached=3), f"{who}.sample ", "cached to be True or False, got 3")
    refused(lambda: model.fit("ab", **ONE_EPOCH), f"{who}.fit expected a text of at least one window")


def test_other_arguments_of_the_ngram_model_are_refused():
    model = NGram(ALPHABET)
    for call in (lambda: model.score("abc"), lambda: model.sample(1, rng=0)):
        refused(call, "NGram is not fitted yet; call fit(text) first")
    refused(lambda: TextMixture([model, model]).score("abc"), "NGram is not fitted yet; call fit(text) first")
    refused(lambda: NGram.tuned(ALPHABET, b"abc"), "NGram.tuned expected", r"bytes; pass text\.decode\(\)$")
    refused(lambda: model.fit(TEXT).probability("ab", "a"), "NGram.probability expected one character, got")


SENTENCES = {
    "None": (None, "got NoneType"),
    "one sentence": ("ab", r"expected \w+ to be a list of strings, got str; pass \[sentence\]$"),
    "bytes": (b"ab", r"to be a list of strings, got bytes; pass \[sentence\.decode\(\)\]$"),
    "a list of bytes": ([b"ab"], r"expected sentences as strings, got bytes; pass text\.decode\(\)$"),
    "a list of None": ([None], "expected sentences as strings, got NoneType$"),
    "numbers": ([1, 2], "expected sentences as strings, got int$"),
    "encoded sentences": (np.array([[1, 0]]), r"got ndarray; pass \[vocabulary\.decode\(row\) for"),
    "an array": (np.array(["ab"]), r"got ndarray; pass sentences\.tolist\(\)$"),
    "a path": (Path("a.tsv"), r"got \w+Path; read the file first, with read_pairs of scratchgen\.data$"),
    "a generator": (iter(["ab"]), r"got list_iterator; pass list\(sentences\)$"),
    "no sentences": ([], "to have at least one sentence, got none$"),
    "an empty sentence": ([""], "expected sentences of at least one token, got ''$"),
    "an unknown token": (["aX"], "got 'X' in 'aX', which is not among the 3 characters .*: replace it, or"),
    "a long sentence": (["a" * 50], "of at most 4 tokens each, got 50: shorten them, or build the model"),
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_odd_sentences_are_refused(kind):
    words = Vocabulary(list("abc"))
    model = Translator(words, words, length=5, features=6, heads=2, depth=1, rng=0)
    odd, message = SENTENCES[kind]
    good = ["ab"]
    for method, call in [
        ("fit", lambda: model.fit(odd, good, **ONE_EPOCH)),
        ("fit", lambda: model.fit(good, odd, **ONE_EPOCH)),
        ("translate", lambda: model.translate(odd)),
        ("score_samples", lambda: model.score_samples(good, odd)),
        ("score_samples", lambda: model.score_samples(odd, good)),
        ("attention", lambda: model.attention(odd, good)),
    ]:  # fmt: skip
        refused(call, f"Translator.{method} ", message if odd is not None else "got (NoneType|none)")
    if not isinstance(odd, str):
        refused(lambda: model.candidates(odd), "Translator.candidates expected sentence to be one string")


def test_wrong_settings_of_a_translator_are_named():
    words = Vocabulary(list("abc"))
    model = Translator(words, words, length=5, features=6, heads=2, depth=1, rng=0)
    for settings, message in OF_FIT:
        if "validation_data" not in settings:
            refused(
                lambda s=settings: model.fit(["a"], ["b"], **ONE_EPOCH | s), "Translator.fit ", message
            )
    refused(lambda: model.fit(["a", "b"], ["a"], **ONE_EPOCH), "Translator.fit expected X and y of the same")
    refused(lambda: model.fit(["a"], **ONE_EPOCH), "Translator.fit expected y, got none; for example fit(X")
    refused(lambda: model.translate(["a"], beam=0), "Translator.translate expected beam of at least 1, got 0")
    refused(lambda: model.sample(1, rng=0), "Translator cannot sample: it models p(y | x), so use translate")


@pytest.mark.parametrize("make", [Alphabet, ALPHABET.encode, split_text])
def test_alphabets_say_how_to_make_a_string(make):
    with pytest.raises(TypeError, match=r"expected .*string, got bytes; pass text\.decode\(\)$"):
        make(b"abc")
