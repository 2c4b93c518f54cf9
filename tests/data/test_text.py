"""The embedded text, its characters as numbers, and windows of them."""

import hashlib
from typing import Any

import numpy as np
import pytest

from scratchgen.data.text import ALICE, Alphabet, RandomCrop, load_text, split_text, windows

BYTES: Any = b"abc"
NUMBER: Any = 3
HALVES: Any = [0.5]


def test_text_is_the_whole_book_in_ascii():
    text = load_text()
    assert len(text) == 142_486
    assert text.startswith("CHAPTER I\n\nDown the Rabbit-Hole\n\nAlice was beginning")
    assert text.endswith("and the happy summer days.\n")
    assert text.count("CHAPTER ") == 12
    assert len(Alphabet(text)) == 67
    assert not set(text) - set(map(chr, range(32, 127))) - {"\n"}


def test_text_has_the_checksum_of_the_text_used_for_results():
    digest = hashlib.sha256(ALICE.read_bytes()).hexdigest()
    assert digest == "01dfb811349649e97c6b3d014d9d87b78457c1ee79d9c824a1256acb193180ad"


def test_text_has_a_page_about_its_source():
    note = ALICE.with_name("ALICE.md").read_text(encoding="utf-8")
    assert "Lewis Carroll" in note and "1865" in note and "public domain" in note


def test_alphabet_decode_inverts_encode():
    alphabet = Alphabet("banana split")
    assert alphabet.characters == " abilnpst"
    ids = alphabet.encode("tin pan")
    assert ids.dtype == np.int64 and ids.tolist() == [8, 3, 5, 0, 6, 1, 5]
    assert alphabet.decode(ids) == "tin pan"
    assert alphabet.encode("").shape == (0,) and alphabet.decode([]) == ""


def test_alphabet_error_has_the_unknown_character():
    message = r"got an unknown character 'é' \(U\+00E9\) at position 3: replace or remove it; the alphabet is"
    with pytest.raises(ValueError, match=message):
        Alphabet("a cafe").encode("cafés")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Alphabet(""), ValueError, "Alphabet expected characters of at least one character"),
        (lambda: Alphabet(BYTES), TypeError, "Alphabet expected characters to be a string, got bytes"),
        (lambda: Alphabet("ab").encode(NUMBER), TypeError, "Alphabet.encode expected a string, got int"),
        (lambda: Alphabet("ab").decode([0, 2]), ValueError, r"expected ids within 0\.\.1"),
        (lambda: Alphabet("ab").decode(HALVES), ValueError, "expected integers"),
        (lambda: split_text("abc", 0.0), ValueError, "test to leave two parts of 3 characters, got 0"),
        (lambda: split_text("abc", 0.1), ValueError, "test to leave two parts of 3 characters"),
        (lambda: split_text(""), ValueError, "split_text expected text of at least one character"),
        (lambda: windows(np.arange(3), 4, 1), ValueError, "windows expected ids .* L >= 4"),
        (lambda: windows(np.arange(3), 0, 1), ValueError, "windows expected length of at least 1, got 0"),
        (lambda: RandomCrop(0), ValueError, "RandomCrop expected length of at least 1, got 0"),
    ],
)
def test_text_function_error_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_random_crop_refuses_rows_that_are_too_short(rng):
    with pytest.raises(ValueError, match="RandomCrop expected rows of at least 5"):
        RandomCrop(5)(np.zeros((2, 4), int), rng=rng)


def test_split_is_by_position():
    train, test = split_text("abcdefghijklmnopqrst")
    assert (train, test) == ("abcdefghijklmnopqr", "st")


def test_windows_start_at_multiples_of_the_hop():
    found = windows(np.arange(11), 4, 3)
    assert found.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_random_crops_start_at_all_positions_equally_often(rng):
    length = 3
    rows = windows(np.arange(40), 2 * length - 1, length)
    starts = np.concatenate([RandomCrop(length)(rows, rng=rng)[:, 0] for _ in range(2000)])
    counts = np.bincount(starts)
    assert len(counts) == len(rows) * length
    expected = 2000 / length
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_random_crops_are_contiguous(rng):
    x = rng.integers(9, size=(6, 8))
    for row, crop in zip(x, RandomCrop(4)(x, rng=rng), strict=True):
        assert any((row[i : i + 4] == crop).all() for i in range(5))
