"""Pairs of sentences for translation: a reader for your own files, and the tokens of a language."""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchgen.array_hints import sentences_hint, text_hint
from scratchgen.checks import describe, expect_count, expect_flags, is_plain_array
from scratchgen.data.untrusted import DamagedFile, open_regular, shown

UNITS = ("characters", "words")
PARTS = ("train", "test")
END = 0     # the number of the token that ends a sentence, and of the padding behind it
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# Japanese and Chinese characters. There are no spaces between them, so each is a token.
HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORDS = re.compile(rf"[{HAN}\d]|(?:(?![{HAN}\d])\w)+|[^\w\s]")
LONGEST_LINE = 1_000_000    # characters


class Pairs(NamedTuple):
    """Sentences and their translations, in the same order."""

    source: list[str]
    target: list[str]


class Vocabulary:
    """The tokens of a language, numbered in sorted order.

    0 is the token that ends a sentence. Tokens behind it are padding. If `unknown` is set, 1 stands for every
    token that is not in the vocabulary. len(vocabulary) includes both.

    tokens : the tokens; repeated ones count once
    unit : "characters", or "words", which are sequences of letters; every digit, every other character that
        is not a space, and each Chinese or Japanese character, is then a token of its own
    unknown : whether `encode` accepts tokens that are not in the vocabulary

    Raises ValueError for no tokens, and for tokens that are not one of the unit.
    """

    def __init__(self, tokens: Sequence[str], *, unit: str = "characters", unknown: bool = False):
        self.unit, self.unknown = _unit("Vocabulary", unit), unknown
        expect_flags("Vocabulary", unknown=unknown)
        tokens = _sentences("Vocabulary", "tokens", tokens)
        for token in tokens:
            if self.split(token) != [token]:
                raise ValueError(f"Vocabulary expected tokens of one of the {unit} each, got {token!r}")
        self.tokens = tuple(sorted(set(tokens)))
        first = 2 if unknown else 1
        self._number = {token: i for i, token in enumerate(self.tokens, first)}

    @classmethod
    def from_sentences(
        cls, sentences: Sequence[str], *, unit: str = "characters", least: int = 1
    ) -> Vocabulary:
        """The vocabulary of some sentences.

        least : how often a token must occur. With more than 1, `encode` accepts unknown tokens, so that a
            model learns what they stand for
        """
        who = "Vocabulary.from_sentences"
        least = expect_count(who, "least", least)
        sentences = _sentences(who, "sentences", sentences)
        split = _splitter(_unit(who, unit))
        counts = Counter(token for sentence in sentences for token in split(sentence))
        kept = [token for token, count in counts.items() if count >= least]
        if not kept:
            raise ValueError(f"{who} expected at least one token that occurs {least} times, got none")
        return cls(kept, unit=unit, unknown=least > 1)

    def split(self, sentence: str) -> list[str]:
        """The tokens of a sentence."""
        return _splitter(self.unit)(sentence)

    def encode(self, sentence: str) -> np.ndarray:
        """The numbers of the tokens of a sentence, and the end: (L + 1,) int64.

        Raises TypeError if it is not a string, and ValueError if it has no tokens, or one that is not in the
        vocabulary, unless unknown tokens are accepted.
        """
        return self.encode_for("Vocabulary.encode", sentence)

    def encode_for(self, who: str, sentence: Any) -> np.ndarray:
        """Like `encode`, with error messages that begin with `who`."""
        if not isinstance(sentence, str):
            hint = text_hint(sentence)
            raise TypeError(f"{who} expected sentences as strings, got {type(sentence).__name__}{hint}")
        tokens = self.split(sentence)
        if not tokens:
            raise ValueError(f"{who} expected sentences of at least one token, got {sentence!r}")
        numbers = [self._number.get(token, 1 if self.unknown else None) for token in tokens]
        if None in numbers:
            token = tokens[numbers.index(None)]
            raise ValueError(
                f"{who} got {token!r} in {shown(sentence)}, which is not among the {len(self.tokens)} "
                f"{self.unit} of the vocabulary: replace it, or build a vocabulary with unknown=True"
            )
        return np.array([*numbers, END], np.int64)

    def encode_all(self, sentences: Iterable[str]) -> np.ndarray:
        """Encode sentences, and pad them to the longest one: (N, L) int64."""
        return padded([self.encode_for("Vocabulary.encode_all", sentence) for sentence in sentences])

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of the tokens ids, (L,), up to the first end; words are joined by spaces.

        Raises ValueError for a number outside the vocabulary.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(
                f"Vocabulary.decode expected integers (L,), got shape {ids.shape} of {ids.dtype}"
            )
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            raise ValueError(
                f"Vocabulary.decode expected ids within 0..{len(self) - 1}, got {ids.min()} to {ids.max()}"
            )
        ends = np.flatnonzero(ids == END)
        tokens = [self._text(int(i)) for i in ids[: ends[0] if len(ends) else None]]
        return (" " if self.unit == "words" else "").join(tokens)

    def _text(self, number: int) -> str:
        first = 2 if self.unknown else 1
        return UNKNOWN if number < first else self.tokens[number - first]

    def __len__(self) -> int:
        return len(self.tokens) + (2 if self.unknown else 1)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} {self.unit}>"


def expect_part(who: str, part: Any) -> None:
    """Check that a part is "train" or "test"."""
    if not isinstance(part, str) or part not in PARTS:
        raise ValueError(f"{who} expected part to be one of {', '.join(PARTS)}, got {part!r}")


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Pad encoded sentences with END to the longest of them: (N, L)."""
    found = np.full((len(rows), max(map(len, rows), default=0)), END, np.int64)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found


def sentence_lengths(ids: np.ndarray) -> np.ndarray:
    """The number of tokens of each row of padded sentences (N, L), with the end: (N,)."""
    return (ids == END).argmax(axis=1) + 1


def expect_sentences(who: str, name: str, ids: Any, tokens: int, longest: int) -> None:
    """Check encoded sentences (N, L), L of at most `longest`: padded, not empty, below `tokens`."""
    if not is_plain_array(ids) or ids.dtype.kind not in "iu":
        raise TypeError(f"{who} expected {name} as integers from a vocabulary, got {describe(ids)}")
    if ids.ndim != 2 or not ids.size or ids.shape[1] > longest:
        raise ValueError(f"{who} expected {name} of shape (N, L) with L of 1 to {longest}, got {ids.shape}")
    if ids.min() < 0 or ids.max() >= tokens:
        raise ValueError(f"{who} expected {name} within 0..{tokens - 1}, got {ids.min()} to {ids.max()}")
    ended = np.logical_or.accumulate(ids == END, axis=1)
    if ended[:, 0].any() or not ended[:, -1].all() or (ids[ended] != END).any():
        raise ValueError(
            f"{who} expected each row of {name} to be one or more tokens, followed only by {END}, the end"
        )


def read_pairs(path: str | os.PathLike[str], *, columns: tuple[int, int] = (0, 1)) -> Pairs:
    """Read pairs of sentences from a text file with one pair per line, separated by a tab.

    columns : the numbers of the columns of source and target, counted from 0; other columns are ignored

    The text is UTF-8, with or without a byte order mark. Spaces around a sentence and empty lines are
    ignored. Raises ValueError, with the line, for a line with too few columns, an empty sentence, text that
    is not UTF-8 and a file without pairs, and OSError if the file cannot be read.
    """
    name = os.fsdecode(path)
    if not isinstance(columns, tuple) or len(columns) != 2:
        raise TypeError(f"read_pairs expected columns to be a pair of ints, got {columns!r}")
    for column in columns:
        expect_count("read_pairs", "columns", column, least=0)
    pairs = Pairs([], [])
    number = 0
    with open_regular(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig") as text:
        try:
            for line in iter(lambda: text.readline(LONGEST_LINE + 1), ""):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise DamagedFile(f"{name}, line {number}: expected at most {LONGEST_LINE} characters")
                if line.strip():
                    source, target = _pair(f"{name}, line {number}", line, columns)
                    pairs.source.append(source)
                    pairs.target.append(target)
        except UnicodeDecodeError as error:
            raise DamagedFile(
                f"{name}: expected text in UTF-8, got byte 0x{error.object[error.start]:02x} "
                f"after line {number}"
            ) from None
    if not pairs.source:
        raise DamagedFile(f"{name}: expected at least one pair of sentences, got an empty file")
    return pairs


def _pair(where: str, line: str, columns: tuple[int, int]) -> tuple[str, str]:
    cells = [cell.strip() for cell in line.rstrip("\r\n").split("\t")]
    if len(cells) <= max(columns):
        raise DamagedFile(
            f"{where}: expected at least {max(columns) + 1} columns separated by tabs, got {len(cells)}"
        )
    source, target = (cells[column] for column in columns)
    if not source or not target:
        raise DamagedFile(f"{where}: expected two sentences, got an empty one")
    return source, target


def _splitter(unit: str) -> Any:
    return list if unit == "characters" else WORDS.findall


def _unit(who: str, unit: Any) -> str:
    if not isinstance(unit, str) or unit not in UNITS:
        raise ValueError(f"{who} expected unit to be one of {', '.join(UNITS)}, got {unit!r}")
    return unit


def _sentences(who: str, name: str, values: Any) -> list[str]:
    """A list of one or more strings."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{who} expected {name} to be a list of strings, got {_what(values)}")
    if not values:
        raise ValueError(f"{who} expected {name} to have at least one string, got none")
    return list(values)


def _what(values: Any) -> str:
    if isinstance(values, list | tuple):
        other = next(value for value in values if not isinstance(value, str))
        return f"one with {type(other).__name__}"
    return f"{type(values).__name__}{sentences_hint(values)}"
