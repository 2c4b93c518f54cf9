"""Byte-pair encoding: a tokenizer that learns frequent pieces of words."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from scratchgen.checks import expect_count

BYTES = 256
WORD = re.compile(r"\s?\S+|\s")     # a word with the space before it, or a space; no character is left out

Pair = tuple[int, int]


class BytePairTokenizer:
    """Tokens that are bytes, or two earlier tokens one after the other (Sennrich, Haddow & Birch 2016).

    A text is first encoded in UTF-8, so that tokens 0 … 255 are the bytes, and any text can be encoded. Token
    256 + i is the pair merges[i]. The text is split into words, each with the space before it, and no token
    crosses the end of a word. Within each word, the merges are applied in their order.

        tokenizer = BytePairTokenizer.train(text, 512)
        ids = tokenizer.encode("some text")
        tokenizer.decode(ids)               "some text"

    merges : the pairs of tokens; each may use the tokens before it. len(tokenizer) is 256 + len(merges)

    Raises ValueError for a pair that uses a later token or that occurs twice, and TypeError for anything but
    pairs of integers.
    """

    unit = "tokens"

    def __init__(self, merges: Sequence[Pair]):
        self.pieces = [bytes([byte]) for byte in range(BYTES)]     # the bytes of each token
        self.merges: list[Pair] = []
        self._rank: dict[Pair, int] = {}                            # pair -> the token that replaces it
        if not isinstance(merges, Sequence) or isinstance(merges, str | bytes):
            raise TypeError(f"BytePairTokenizer expected merges to be a list of pairs, got {merges!r}")
        for pair in merges:
            self._add(_as_pair(pair, known=len(self)))
        self._words: dict[str, list[int]] = {}                      # the tokens of words that were encoded

    def _add(self, pair: Pair) -> None:
        if pair in self._rank:
            raise ValueError(f"BytePairTokenizer expected merges to differ, got {pair} twice")
        self._rank[pair] = len(self)
        self.pieces.append(self.pieces[pair[0]] + self.pieces[pair[1]])
        self.merges.append(pair)

    @classmethod
    def train(cls, text: str, size: int) -> Self:
        """Learn merges from a text, until there are `size` tokens or no pair occurs twice.

        Each merge is the most frequent pair of adjacent tokens in the words of the text; among equally
        frequent pairs, the smallest.

        Raises TypeError if `text` is not a string, and ValueError for a size below 256.
        """
        who = "BytePairTokenizer.train"
        _expect_string(who, text)
        expect_count(who, "size", size, least=BYTES)
        tokenizer = cls([])
        words = _Words(text)
        while len(tokenizer) < size:
            pair = words.most_frequent()
            if pair is None:
                break
            words.merge(pair, len(tokenizer))
            tokenizer._add(pair)
        return tokenizer

    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a text, (L,) int64. Raises TypeError if `text` is not a string."""
        _expect_string("BytePairTokenizer.encode", text)
        return np.array([token for word in WORD.findall(text) for token in self._word(word)], np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of tokens (L,). decode(encode(text)) is the text, whatever its characters.

        Other tokens may not form characters in UTF-8; bytes that do not are decoded as U+FFFD. Raises
        ValueError for a token outside 0 … len − 1.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(
                f"BytePairTokenizer.decode expected integers (L,), got shape {ids.shape} of {ids.dtype}"
            )
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            raise ValueError(
                f"BytePairTokenizer.decode expected ids within 0..{len(self) - 1}, "
                f"got {ids.min()} to {ids.max()}"
            )
        raw = b"".join(self.pieces[i] for i in ids)
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return raw.decode("utf-8", "replace")

    def save(self, path: str | Path) -> None:
        """Write the merges to a JSON file."""
        Path(path).write_text(json.dumps({"merges": self.merges}), encoding="ascii")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer from a file that `save` wrote. Raises ValueError for any other file."""
        try:
            found = json.loads(Path(path).read_text(encoding="ascii"))
            return cls(found["merges"])
        except (ValueError, TypeError, KeyError) as error:      # also JSON and decoding errors
            raise ValueError(
                f"BytePairTokenizer.load expected a file that BytePairTokenizer.save wrote, {path} is not: "
                f"{error}"
            ) from None

    def _word(self, word: str) -> list[int]:
        """The tokens of a word: the earliest possible merge first, until no merge is possible."""
        if word not in self._words:
            tokens = list(word.encode("utf-8", "surrogatepass"))
            while found := [self._rank[p] for p in zip(tokens, tokens[1:], strict=False) if p in self._rank]:
                token = min(found)
                tokens = _replaced(tokens, self.merges[token - BYTES], token)
            self._words[word] = tokens
        return self._words[word]

    def __len__(self) -> int:
        return BYTES + len(self.merges)

    def __repr__(self) -> str:
        return f"BytePairTokenizer(<{len(self.merges)} merges>)"


class _Words:
    """The different words of a text as tokens, and how often each pair of adjacent tokens occurs."""

    def __init__(self, text: str):
        words = Counter(WORD.findall(text))
        self.tokens = [list(word.encode("utf-8", "surrogatepass")) for word in words]
        self.times = list(words.values())
        self.pairs: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)     # words that have had the pair
        for i in range(len(self.tokens)):
            self._count(i, self.times[i])

    def most_frequent(self) -> Pair | None:
        """The most frequent pair, or None if none occurs twice."""
        if not self.pairs:
            return None
        pair = min(self.pairs, key=lambda p: (-self.pairs[p], p))
        return pair if self.pairs[pair] > 1 else None

    def merge(self, pair: Pair, token: int) -> None:
        """Replace a pair by a token in all words."""
        for i in self.places.pop(pair):
            self._count(i, -self.times[i])
            self.tokens[i] = _replaced(self.tokens[i], pair, token)
            self._count(i, self.times[i])
        del self.pairs[pair]

    def _count(self, i: int, times: int) -> None:
        for pair in zip(self.tokens[i], self.tokens[i][1:], strict=False):
            self.pairs[pair] += times
            self.places[pair].add(i)


def _replaced(tokens: list[int], pair: Pair, token: int) -> list[int]:
    """The tokens with each occurrence of a pair, from left to right, replaced by one token."""
    out: list[int] = []
    for t in tokens:
        if out and (out[-1], t) == pair:
            out[-1] = token
        else:
            out.append(t)
    return out


def _as_pair(pair: Any, known: int) -> Pair:
    ok = isinstance(pair, list | tuple) and len(pair) == 2
    if not ok or not all(isinstance(t, int) and not isinstance(t, bool) for t in pair):
        raise TypeError(f"BytePairTokenizer expected merges to be pairs of integers, got {pair!r}")
    if not all(0 <= t < known for t in pair):
        raise ValueError(
            f"BytePairTokenizer expected merges to use earlier tokens, 0..{known - 1} here, got {tuple(pair)}"
        )
    return pair[0], pair[1]


def _expect_string(who: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{who} expected a string, got {type(text).__name__}")
