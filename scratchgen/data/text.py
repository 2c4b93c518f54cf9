"""Text for language models: characters encoded as numbers, and windows of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np

from scratchgen.array_hints import text_hint
from scratchgen.checks import describe, expect_count, expect_number, is_plain_array

ALICE = Path(__file__).with_name("alice.txt")


class Alphabet:
    """The different characters of a text, numbered from 0 in the order of their code points.

    characters : any text; its characters form the alphabet. len(alphabet) is their number.

    Raises TypeError if `characters` is not a string, and ValueError if it is empty.
    """

    unit = "characters"

    def __init__(self, characters: str):
        _expect_text("Alphabet", "characters", characters)
        self.characters = "".join(sorted(set(characters)))
        self._number = {character: i for i, character in enumerate(self.characters)}

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of the characters of a text, (L,) int64.

        Raises ValueError for a character that is not in the alphabet. The message contains the character,
        its position and the alphabet. Raises TypeError if `text` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"Alphabet.encode expected a string, got {type(text).__name__}{text_hint(text)}")
        try:
            return np.array([self._number[character] for character in text], np.int64)
        except KeyError as error:
            unknown = error.args[0]
            raise ValueError(
                f"Alphabet.encode got an unknown character {unknown!r} (U+{ord(unknown):04X}) at position "
                f"{text.index(unknown)}: replace or remove it; the alphabet is {self.characters!r}"
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text for the numbers ids, (L,). Raises ValueError for a number outside the alphabet."""
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(f"Alphabet.decode expected integers (L,), got shape {ids.shape} of {ids.dtype}")
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            raise ValueError(
                f"Alphabet.decode expected ids within 0..{len(self) - 1}, got {ids.min()} to {ids.max()}"
            )
        return "".join(self.characters[i] for i in ids)

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Alphabet({self.characters!r})"


def load_text() -> str:
    """"Alice's Adventures in Wonderland" (Lewis Carroll, 1865), 142,486 characters; see ALICE.md."""
    text = files("scratchgen.data") / ALICE.name       # the package may be in a zip archive
    return text.read_text(encoding="ascii")


def split_text(text: str, test: float = 0.1) -> tuple[str, str]:
    """Split a text into a training part and a test part.

    test : the share of the characters, at the end of the text, that become the test part

    The test part is one piece, so that few test characters are next to training text. Raises ValueError if
    one of the two parts would be empty.
    """
    _expect_text("split_text", "text", text)
    expect_number("split_text", "test", test)
    cut = len(text) - round(test * len(text)) if 0 < test < 1 else 0
    if not 0 < cut < len(text):
        raise ValueError(
            f"split_text expected test to leave two parts of {len(text)} characters, got {test}"
        )
    return text[:cut], text[cut:]


def windows(ids: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Return all windows of `length` ids that start at a multiple of `hop`: (M, length), a view of ids (L,).

    Ids after the last complete window are not included. Raises ValueError if there is no complete window.
    """
    length, hop = expect_count("windows", "length", length), expect_count("windows", "hop", hop)
    if not is_plain_array(ids):
        raise TypeError(f"windows expected ids to be an array, got {describe(ids)}")
    if ids.ndim != 1 or len(ids) < length:
        raise ValueError(f"windows expected ids of shape (L,) with L >= {length}, got shape {ids.shape}")
    return np.lib.stride_tricks.sliding_window_view(ids, length)[::hop]


class RandomCrop:
    """Crop `length` entries from each row, at a uniformly random position: (N, W) -> (N, length).

    If applied to `windows(ids, 2 * length - 1, length)`, all positions of a text are equally likely to be the
    start of a crop. Raises ValueError for a length below 1 and for rows that are shorter than `length`.
    """

    def __init__(self, length: int):
        self.length = expect_count("RandomCrop", "length", length)

    def __call__(self, x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        if x.ndim != 2 or x.shape[1] < self.length:
            raise ValueError(f"RandomCrop expected rows of at least {self.length} entries, got {x.shape}")
        starts = rng.integers(x.shape[1] - self.length + 1, size=len(x))
        return x[np.arange(len(x))[:, None], starts[:, None] + np.arange(self.length)]


def _expect_text(who: str, name: str, text: str) -> None:
    if not isinstance(text, str):
        hint = text_hint(text)
        raise TypeError(f"{who} expected {name} to be a string, got {type(text).__name__}{hint}")
    if not text:
        raise ValueError(f"{who} expected {name} of at least one character, got an empty string")
