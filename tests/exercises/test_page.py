"""docs/exercises.md: its table is the list of exercises, and its example is what the checker says."""

import re

from helpers.pages import ROOT

from scratchgen.exercises.blanks import fill
from scratchgen.exercises.catalogue import EXERCISES, table, text_of
from scratchgen.exercises.check import check_text
from scratchgen.exercises.report import report_lines

PAGE = (ROOT / "docs" / "exercises.md").read_text(encoding="utf-8")


def test_table_is_the_list_of_exercises():
    (found,) = re.findall(r"<!-- exercises: .*? -->\n(.*?)\n<!-- end of exercises -->", PAGE, re.DOTALL)
    assert found == table()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(EXERCISES)} [exercises](docs/exercises.md)" in readme


def test_chapters_exist_and_have_the_equations():
    for exercise in EXERCISES.values():
        chapter = (ROOT / exercise.chapter).read_text(encoding="utf-8")
        missing = [number for number in exercise.numbers if rf"\tag{{{number}}}" not in chapter]
        assert not missing, f"{exercise.name}: {missing}"


def test_example_of_the_page_is_what_the_checker_says():
    code = {
        "LIN.2": "self.weight.grad += rows(x).T @ rows(dout)",
        "LIN.3": "return rows(dout).mean(axis=0)",
    }
    text = fill(text_of(EXERCISES["linear"]), code)
    report = report_lines(check_text(text, "linear.py"), 82, str)
    assert "```text\n" + "\n".join(report) + "\n```" in PAGE
    for block in re.findall(r"```(?:text|python)\n(\(LIN.*?|    # begin.*?)```", PAGE, re.DOTALL)[:2]:
        for line in block.splitlines():
            assert line.strip() in text_of(EXERCISES["linear"])
