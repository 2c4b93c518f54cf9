"""Each chapter ends with questions, skills and a training curve; their numbers are computed again."""

import contextlib
import io
import re

import pytest
from helpers.chapters import PARTS, Chapter, Question, chapters, equal, shown_output
from helpers.pages import ROOT

from scratchgen.exercises.catalogue import EXERCISES

WITHOUT_PARTS: set[str] = set()
CHAPTERS = [chapter for chapter in chapters() if chapter.name not in WITHOUT_PARTS]
# Chapters whose first epoch takes more than a second
SLOW = {
    "attention", "recurrent", "translation", "comparison", "out-of-distribution", "diffusion", "flows",
    "speed",
}  # fmt: skip
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


def run(code: str) -> tuple[list[str], dict]:
    """What the code prints, by line, and its names."""
    names: dict = {"__name__": "page"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "page.py", "exec"), names)
    return out.getvalue().splitlines(), names


@each
def test_chapter_has_the_three_parts(chapter):
    titles = [title for title in re.findall(r"^## (.+)$", chapter.text, re.MULTILINE) if title in PARTS]
    assert titles == list(PARTS)
    questions = chapter.questions
    assert 3 <= len(questions) <= 5
    assert all("?" in question.text and len(question.code) == 1 for question in questions)
    assert chapter.text.count("<details>") == chapter.text.count("</details>") == len(questions)


def test_chapters_that_are_left_out_have_no_parts_yet():
    titles = [title for name in WITHOUT_PARTS for title in PARTS if f"## {title}" in Chapter(name).text]
    assert titles == [], f"take the chapter out of WITHOUT_PARTS: {WITHOUT_PARTS}"


@each
def test_skills_name_exercises_that_exist(chapter):
    named = chapter.exercises
    assert named and set(named) <= set(EXERCISES)
    assert "[Exercises](exercises.md)" in chapter.part(PARTS[1])


def test_each_exercise_is_named_by_its_chapter():
    page = (ROOT / "docs" / "exercises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| `([\w-]+)` \|.*\]\(([\w-]+)\.md\) \|$", page, re.MULTILINE)
    named = {chapter.name: chapter.exercises for chapter in CHAPTERS}
    assert len(rows) == len(EXERCISES)
    assert [(name, chapter) for name, chapter in rows if name not in named[chapter]] == []


@each
def test_numbers_of_the_answers_are_those_that_their_code_prints(chapter):
    for question in chapter.questions:
        (block,) = question.code
        shown = shown_output(block.text)
        printed, _ = run(block.text)
        assert len(shown) == len(printed) > 0, question.text
        for line, expected in zip(printed, shown, strict=True):
            assert equal(line, expected), f"{question.text}\n  prints {line}\n  shows  {expected}"


@pytest.mark.parametrize(
    "chapter",
    [pytest.param(c, marks=pytest.mark.slow if c.name in SLOW else (), id=c.name) for c in CHAPTERS],
)
def test_first_epoch_of_the_curve_is_computed_again(chapter):
    code, epochs, table = chapter.curve
    assert epochs == [1, 5, 20] and len(table) >= 1
    shortened, count = re.subn(r"^epochs.* = 20\b|for epoch in range\(20", short, code, flags=re.M)
    assert count == 1
    _, names = run(shortened)
    assert list(names["curves"]) == list(table)
    for name, values in table.items():
        assert names["curves"][name][0] == pytest.approx(values[0], rel=0.03, abs=0.02), name


def short(found: re.Match) -> str:
    """One epoch in place of 20, in "epochs = 20" and "range(20"."""
    return found[0].replace("20", "1")


def test_wrong_fold_and_wrong_number_are_found():
    start = f"## {PARTS[0]}\n\n<details>\n<summary>Why?</summary>\n\nSo.\n"
    for text in (f"{start}\n", f"{start}\nMore.\n</details>\n", f"{start}\n</details>\nMore.\n"):
        chapter = Chapter("planted")
        chapter.__dict__["text"] = text
        with pytest.raises(ValueError, match=r"planted\.md has"):
            _ = chapter.questions
    assert Question("Why?", "```python\nprint(1)\n```\n").code[0].text == "print(1)\n"
    assert equal("[1.38 2]", "[1.39 2]") and equal("a 3e-10", "a 3e-10")
    assert not equal("1.37", "1.39") and not equal("a 1", "b 1") and not equal("-1.4", "1.4")
