"""The glossary: sorted, each term once, explained in a sentence or two, and linked to a chapter."""

import re

from helpers.pages import ROOT, anchors

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (.+)\n\n(.+(?:\n.+)*)$", GLOSSARY, re.MULTILINE))
TERMS = re.findall(r"^## (.+)$", GLOSSARY, re.MULTILINE)


def test_glossary_has_enough_terms_sorted_and_unique():
    assert len(TERMS) >= 55
    assert sorted(TERMS, key=str.lower) == TERMS
    assert len({term.lower() for term in TERMS}) == len(TERMS)
    assert list(ENTRIES) == TERMS
    assert len(anchors(GLOSSARY)) == len(TERMS) + 1


def test_entries_are_short_and_lead_to_a_chapter():
    for term, entry in ENTRIES.items():
        explanation = re.sub(r" (In code: .*)?See \[.*", "", " ".join(entry.split()))
        assert 1 <= len(re.findall(r"[.?!](?= |$)", explanation)) <= 3, term
        (chapter,) = re.findall(r"See \[[^\]]+\]\(([\w-]+\.md)\)\.$", " ".join(entry.split()))
        assert chapter in (ROOT / "docs" / "README.md").read_text(encoding="utf-8"), term


def test_names_in_the_glossary_exist():
    """The name that an entry says to search for occurs in the code."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "scratchgen").rglob("*.py"))
    for term, entry in ENTRIES.items():
        (names,) = re.findall(r"In code: (.*?)\. See", " ".join(entry.split())) or [""]
        for name in re.findall(r"`([^`]+)`", names):
            word = re.findall(r"[A-Za-z_]\w*", name.replace("scratchgen study ", ""))[0]
            assert re.search(rf"\b{word}\b", code), f"{term}: {word}"
