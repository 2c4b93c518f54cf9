"""The verses: two parts without a common text, and a page about their source."""

import hashlib

import pytest

from scratchgen.data import load_verses
from scratchgen.data.verses import VERSES


def test_parts_are_every_tenth_verse_and_the_others():
    train, test = load_verses(), load_verses("test")
    assert [len(side) for side in (*train, *test)] == [1895, 1895, 210, 210]
    assert train.source[0] == "In the beginning, God created the heavens and the earth."
    assert train.target[0] == "EN el principio crió Dios los cielos y la tierra."
    lines = VERSES.read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1:] for line in lines[9::10]] == [list(pair) for pair in zip(*test, strict=True)]


def test_no_text_occurs_twice():
    for side in zip(load_verses(), load_verses("test"), strict=True):
        texts = [text for part in side for text in part]
        assert len(set(texts)) == len(texts) == 2105


def test_verses_are_short_and_clean():
    for part in ("train", "test"):
        for text in (text for side in load_verses(part) for text in side):
            assert 2 <= len(text.split(" ")) <= 12 and text == " ".join(text.split())
            assert not set(text) & set("<>[]{}\t")


def test_verses_have_the_checksum_of_those_used_for_results():
    digest = hashlib.sha256(VERSES.read_bytes()).hexdigest()
    assert digest == "2dd5ca4b7495f1d7743e0c18b3acbe8b032eb2429f89eccb918f1d1fa2012afd"


def test_verses_have_a_page_about_their_source():
    note = VERSES.with_name("VERSES.md").read_text(encoding="utf-8")
    assert "World English Bible" in note and "Reina-Valera" in note and "Public Domain" in note


def test_another_part_is_refused():
    for part in ("validation", None, 1):
        with pytest.raises(ValueError, match="^load_verses expected part to be one of train, test, got"):
            load_verses(part)
