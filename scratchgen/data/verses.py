"""Sentences in English and Spanish: short verses of the Bible, from two editions in the public domain."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from scratchgen.data.pairs import Pairs, expect_part

VERSES = Path(__file__).with_name("verses.txt")
HELD_OUT = 10       # one verse of ten is in the test part


def load_verses(part: str = "train") -> Pairs:
    """English verses and their Spanish translations, of at most 12 words each; see VERSES.md.

    part : "train", 1,895 pairs, or "test", every tenth verse of the file, 210 pairs. No text occurs twice

    Raises ValueError for another part.
    """
    expect_part("load_verses", part)
    text = (files("scratchgen.data") / VERSES.name).read_text(encoding="utf-8")   # also from a zip archive
    verses = [line.split("\t") for line in text.splitlines()]      # the place, English, Spanish
    chosen = [v for i, v in enumerate(verses, 1) if (i % HELD_OUT == 0) == (part == "test")]
    return Pairs([english for _, english, _ in chosen], [spanish for *_, spanish in chosen])
