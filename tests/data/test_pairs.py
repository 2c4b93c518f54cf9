"""Pairs of sentences: vocabularies of characters and words, padding, and files."""

import numpy as np
import pytest

from scratchgen.data import Pairs, Vocabulary, read_pairs
from scratchgen.data.pairs import UNKNOWN, padded, sentence_lengths


def test_characters_are_numbered_in_order_behind_the_end():
    vocabulary = Vocabulary.from_sentences(["cab", "bad"])
    assert vocabulary.tokens == ("a", "b", "c", "d") and len(vocabulary) == 5
    assert vocabulary.encode("dab").tolist() == [4, 1, 2, 0]
    assert vocabulary.decode([4, 1, 2, 0, 3, 3]) == "dab"
    assert vocabulary.decode(np.array([4, 1])) == "da" and vocabulary.decode([]) == ""


def test_words_are_separated_from_punctuation():
    vocabulary = Vocabulary.from_sentences(["Well, I know.", "Über 3 Äpfel!"], unit="words")
    assert vocabulary.split("Well, I know.") == ["Well", ",", "I", "know", "."]
    assert vocabulary.split("3rd 三百, twenty-five") == ["3", "rd", "三", "百", ",", "twenty", "-", "five"]
    assert set(vocabulary.tokens) == {"Well", ",", "I", "know", ".", "Über", "3", "Äpfel", "!"}
    assert vocabulary.decode(vocabulary.encode("I  know Äpfel!")) == "I know Äpfel !"


def test_unknown_tokens_are_accepted_if_the_vocabulary_has_a_number_for_them():
    vocabulary = Vocabulary.from_sentences(["a b", "a c", "a b"], unit="words", least=2)
    assert vocabulary.tokens == ("a", "b") and vocabulary.unknown and len(vocabulary) == 4
    assert vocabulary.encode("a c b").tolist() == [2, 1, 3, 0]
    assert vocabulary.decode([2, 1, 3]) == f"a {UNKNOWN} b"
    assert Vocabulary(["x"], unknown=True).encode("xyz").tolist() == [2, 1, 1, 0]


def test_sentences_are_padded_with_the_end():
    ids = Vocabulary(list("ab")).encode_all(["ab", "b", "aba"])
    assert ids.tolist() == [[1, 2, 0, 0], [2, 0, 0, 0], [1, 2, 1, 0]]
    assert sentence_lengths(ids).tolist() == [3, 2, 4]
    assert padded([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: v.encode("abz"), r"^Vocabulary\.encode got 'z' in 'abz', which is not among the 2 charac"),
        (lambda v: v.encode(""), r"^Vocabulary\.encode expected sentences of at least one token, got ''"),
        (lambda v: v.encode_all(["a", ""]), r"^Vocabulary\.encode_all expected sentences of at least one"),
        (lambda v: v.encode(5), r"^Vocabulary\.encode expected sentences as strings, got int"),
        (lambda v: v.decode([3]), r"^Vocabulary\.decode expected ids within 0\.\.2, got 3 to 3"),
        (lambda v: v.decode([-1]), r"^Vocabulary\.decode expected ids within 0\.\.2"),
        (lambda v: v.decode([0.5]), r"^Vocabulary\.decode expected integers \(L,\)"),
        (lambda v: v.decode([[0]]), r"^Vocabulary\.decode expected integers \(L,\)"),
        (lambda v: Vocabulary(["ab"]), r"^Vocabulary expected tokens of one of the characters each, got"),
        (lambda v: Vocabulary(["a b"], unit="words"), r"^Vocabulary expected tokens of one of the words"),
        (lambda v: Vocabulary("ab"), r"^Vocabulary expected tokens to be a list of strings, got str"),
        (lambda v: Vocabulary(["a", 5]), r"^Vocabulary expected tokens to be a list of strings, got one"),
        (lambda v: Vocabulary([]), r"^Vocabulary expected tokens to have at least one string, got none"),
        (
            lambda v: Vocabulary.from_sentences(["ab"], least=2),
            r"^Vocabulary\.from_sentences expected at least one token that occurs 2 times, got none",
        ),
        (
            lambda v: Vocabulary.from_sentences("ab"),
            r"^Vocabulary\.from_sentences expected sentences to be a list of strings, got str",
        ),
        (
            lambda v: Vocabulary.from_sentences(["a"], unit="letters"),
            r"^Vocabulary\.from_sentences expected unit to be one of characters, words, got 'letters'",
        ),
    ],
)
def test_wrong_values_are_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        call(Vocabulary(["a", "b"]))
    assert "\n" not in str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "pairs.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write


def test_pairs_are_read_from_a_file(write):
    path = write("\ufeffone\tun\tnote\r\n\n  two \t deux\n三\ttrois")
    assert read_pairs(path) == Pairs(["one", "two", "三"], ["un", "deux", "trois"])
    assert read_pairs(write("a\tb\tc\n"), columns=(2, 0)) == Pairs(["c"], ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\tun\ntwo deux\n", r"pairs\.tsv, line 2: expected at least 2 columns separated by tabs, got 1"),
        ("\n\none\t \n", r"pairs\.tsv, line 3: expected two sentences, got an empty one"),
        ("", r"pairs\.tsv: expected at least one pair of sentences, got an empty file"),
        ("\n \n", r"pairs\.tsv: expected at least one pair of sentences, got an empty file"),
        (b"one\tun\n\xff\tdeux\n", r"pairs\.tsv: expected text in UTF-8, got byte 0xff after line"),
        ("a" * 1_000_001, r"pairs\.tsv, line 1: expected at most 1000000 characters"),
    ],
)
def test_damaged_files_are_refused_with_the_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_pairs(write(text))


def test_wrong_columns_are_refused(write):
    path = write("a\tb\n")
    for columns in ((0,), 5, None, "01", [0, 1]):
        with pytest.raises(TypeError, match="^read_pairs expected columns to be a pair of ints"):
            read_pairs(path, columns=columns)
    for columns in ((0, -1), (0.5, 1), (True, 1)):
        with pytest.raises((TypeError, ValueError), match="^read_pairs expected columns"):
            read_pairs(path, columns=columns)
    with pytest.raises(ValueError, match=r"line 1: expected at least 5 columns"):
        read_pairs(path, columns=(0, 4))
    with pytest.raises(OSError, match="missing"):
        read_pairs(path.with_name("missing.tsv"))
