"""Byte-pair encoding: merges counted by hand, exact round trips, files and errors."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.data import BytePairTokenizer

TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest widest"
TRAINED = BytePairTokenizer.train(TEXT, 275)


def test_merges_are_the_most_frequent_pairs():
    """e·s, s·t and w·e occur 9, 9 and 8 times. After es, its pair with t is the only one with 9."""
    tokenizer = BytePairTokenizer.train(TEXT, 258)
    assert [tokenizer.pieces[i] for i in (256, 257)] == [b"es", b"est"]


def test_ties_go_to_the_smallest_pair_and_single_pairs_are_left():
    tokenizer = BytePairTokenizer.train("abab cdcd", 1000)
    assert tokenizer.pieces[256:] == [b"ab", b"cd"]
    assert len(BytePairTokenizer.train("abcdefg", 1000)) == 256


def test_training_equals_counting_all_pairs_again_for_each_merge():
    """The incremental counts, against a direct count of the encoded words after every merge."""
    text = "the cat sat on the mat, and the hat that the cat had sat on was the cat's hat " * 2
    trained = BytePairTokenizer.train(text, 290)
    for n, merge in enumerate(trained.merges):
        before = BytePairTokenizer(trained.merges[:n])
        counts = Counter()
        for i, word in enumerate(text.split(" ")):
            ids = before.encode((" " if i else "") + word).tolist()
            counts.update(zip(ids, ids[1:], strict=False))
        assert merge == min(counts, key=lambda pair: (-counts[pair], pair)), n


def test_known_tokens():
    tokenizer = BytePairTokenizer([(97, 97), (256, 98)])     # aa, aab
    assert tokenizer.encode("aaab").tolist() == [256, 97, 98]
    assert tokenizer.encode("aab aab").tolist() == [257, 32, 257]
    assert tokenizer.encode("").shape == (0,) and tokenizer.encode("").dtype == np.int64
    assert len(tokenizer) == 258


@given(st.text())
def test_any_text_comes_back(text):
    ids = TRAINED.encode(text)
    assert TRAINED.decode(ids) == text
    assert len(ids) <= len(text.encode())


@given(st.text(st.characters(codec=None, categories=["Cs", "Ll", "Zs", "So", "Cc"])))
def test_text_with_lone_surrogates_comes_back(text):
    assert TRAINED.decode(TRAINED.encode(text)) == text


@given(st.text(alphabet="ab ", max_size=60), st.integers(256, 300))
def test_tokens_of_a_word_do_not_depend_on_the_words_around_it(text, size):
    tokenizer = BytePairTokenizer.train(text, size)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    one, other = tokenizer.encode(text + "a"), tokenizer.encode(" b")
    np.testing.assert_array_equal(tokenizer.encode(text + "a b"), np.concatenate([one, other]))


def test_tokens_that_are_no_characters_are_replaced():
    assert TRAINED.decode([97, 0xE2, 98]) == "a\ufffdb"


def test_saved_tokenizer_is_the_same(tmp_path):
    TRAINED.save(tmp_path / "tokens.json")
    loaded = BytePairTokenizer.load(tmp_path / "tokens.json")
    assert loaded.merges == TRAINED.merges and loaded.pieces == TRAINED.pieces
    np.testing.assert_array_equal(loaded.encode(TEXT), TRAINED.encode(TEXT))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"merges": 5}', '{"merges": [[1, 999]]}', "é"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"BytePairTokenizer.load expected a file .*tokens.json is not"):
        BytePairTokenizer.load(path)
    path.write_text(json.dumps({"merges": [[97, 98]]}), encoding="ascii")
    assert len(BytePairTokenizer.load(path)) == 257


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BytePairTokenizer.train(5, 300), TypeError, "train expected a string, got int"),
        (lambda: BytePairTokenizer.train("ab", 255), ValueError, "size of at least 256, got 255"),
        (lambda: BytePairTokenizer("ab"), TypeError, "merges to be a list of pairs, got 'ab'"),
        (lambda: BytePairTokenizer([(1,)]), TypeError, r"merges to be pairs of integers, got \(1,\)"),
        (lambda: BytePairTokenizer([(1, 256)]), ValueError, r"earlier tokens, 0..255 here, got \(1, 256\)"),
        (lambda: BytePairTokenizer([(1, 2), (1, 2)]), ValueError, r"merges to differ, got \(1, 2\) twice"),
        (lambda: TRAINED.encode(b"a"), TypeError, "encode expected a string, got bytes"),
        (lambda: TRAINED.decode([999]), ValueError, rf"within 0\.\.{len(TRAINED) - 1}, got 999 to 999"),
        (lambda: TRAINED.decode([0.5]), ValueError, r"expected integers \(L,\), got shape \(1,\)"),
        (lambda: TRAINED.decode([[1]]), ValueError, r"expected integers \(L,\), got shape \(1, 1\)"),
    ],
)
def test_tokenizer_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
