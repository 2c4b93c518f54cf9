"""Exercises: files made from the library's source, solved by the library's lines; wrong answers fail."""

import ast
import re

import pytest
from helpers.wrong_answers import WRONG

from scratchgen.exercises import Blank, blank
from scratchgen.exercises.blanks import fill, formulas, regions, solution, still_blank
from scratchgen.exercises.catalogue import EXERCISES, find_hints, solution_text, text_of
from scratchgen.exercises.check import BLANK, LOST, RIGHT, WAITS, check_part, check_text
from scratchgen.exercises.check import WRONG as IS_WRONG
from scratchgen.exercises.report import report_lines
from scratchgen.exercises.source import left_side

EACH = pytest.mark.parametrize("name", EXERCISES)
ROWS = [(name, *row) for name, rows in WRONG.items() for row in rows]


def text_of_report(report):
    """The report as one line, with the class and the text of an exception."""
    return " ".join(" ".join(report_lines(report, 100, lambda e: f"{type(e).__name__}: {e}")).split())


def solved(name, **code):
    """The text of a file with the library's lines, except for those given."""
    exercise = EXERCISES[name]
    return fill(text_of(exercise), {**solution(exercise), **code})


def test_there_are_enough_and_no_equation_is_asked_twice():
    assert len(EXERCISES) >= 24
    numbers = [number for exercise in EXERCISES.values() for number in exercise.numbers]
    assert len(numbers) == len(set(numbers))
    assert list(EXERCISES)[:5] == ["linear", "relu", "sigmoid", "squared-error", "bernoulli-loss"]
    assert set(WRONG) == set(EXERCISES) and all(len(rows) >= 2 for rows in WRONG.values())


@EACH
def test_file_has_a_blank_for_each_equation_and_does_not_contain_the_answers(name):
    exercise = EXERCISES[name]
    text = text_of(exercise)
    assert sorted(still_blank(ast.parse(text))) == sorted(exercise.numbers) == sorted(regions(text))
    assert max(map(len, text.splitlines())) <= 120
    for number, code in solution(exercise).items():
        for line in code.splitlines():
            line = line.partition("  #")[0].strip()
            assert len(line) < 8 or line not in text, number
    for number, formula in formulas(exercise).items():
        assert left_side(formula.partition(")")[2]).strip() in text
        right = re.split(r"\s{3,}", re.split("[=←] ", formula, maxsplit=1)[1])[0]
        assert not re.search(rf"{re.escape(right)}(\s\s|\n)", text), number


@EACH
def test_lines_of_the_library_solve_it(name):
    report = check_text(solved(name), EXERCISES[name].file)
    assert report.solved, text_of_report(report)


@EACH
def test_blank_file_fails_and_names_the_first_equation(name):
    exercise = EXERCISES[name]
    report = check_text(text_of(exercise), exercise.file)
    assert not report.solved and report.blanks == exercise.numbers and report.changed is None
    assert all(part.state == BLANK for part in report.parts)
    first = exercise.numbers[0]
    text = text_of_report(report)
    assert f"still blank, the first is ({first})" in text
    assert text.endswith(f"scratchgen exercise --hint {first}")


@pytest.mark.parametrize(("name", "number", "code", "says"), ROWS, ids=lambda value: str(value)[:24])
def test_wrong_answer_fails_with_a_useful_message(name, number, code, says):
    from scratchgen.exercises.check import Report

    exercise = EXERCISES[name]
    text = solved(name, **{number: code})
    (numbers,) = (group for group in exercise.groups() if number in group)
    part = check_part(exercise, text, exercise.file, numbers, (), solution(exercise))
    assert part.state == IS_WRONG
    report = Report(exercise, (), part.failed, part.error, (part,))
    assert not report.solved and report.wrong == number
    assert says and says in text_of_report(report)


def test_equations_are_checked_one_by_one_before_all_are_filled():
    exercise = EXERCISES["linear"]
    text = fill(text_of(exercise), {"LIN.3": "return dout.mean(axis=0)", "LIN.4": "return dout @ weight.T"})
    report = check_text(text, "linear.py")
    assert [part.state for part in report.parts] == [BLANK, IS_WRONG, RIGHT]
    assert report.blanks == ("LIN.2",) and report.wrong == "LIN.3"
    text = text_of_report(report)
    assert "(LIN.2): blank (LIN.3): wrong bias (3,)" in text and "(LIN.4): right" in text
    assert "1 of 3 equations is still blank, the first is (LIN.2)" in text


def test_equations_with_a_common_convention_wait_for_each_other():
    exercise = EXERCISES["batch-norm"]
    text = fill(text_of(exercise), {"BN.6": "dxhat = dout * weight", "BN.8": "dvar = 0 * dxhat"})
    states = {part.numbers: part.state for part in check_text(text, "batch_norm.py").parts}
    assert states == {("BN.6",): RIGHT, ("BN.7",): BLANK, ("BN.8", "BN.9", "BN.10"): WAITS}


def test_another_correct_form_passes():
    """The literal equations (BN.8) to (BN.10), which the library computes in other units."""
    text = solved(
        "batch-norm",
        **{
            "BN.8": "xc = xhat / inv\ndvar = -0.5 * inv**3 * (dxhat * xc).sum(axis=0)",
            "BN.9": "dxc = dxhat * inv + 2 / len(xc) * xc * dvar",
            "BN.10": "dmean = -dxc.sum(axis=0)\ndx = dxc + dmean / len(xc)",
        },
    )
    assert check_text(text, "batch_norm.py").solved


def test_changed_line_outside_the_blanks_is_named():
    text = solved("relu").replace("np.maximum(x, 0)", "np.maximum(x, 0) + x")
    report = check_text(text, "relu.py")
    line = next(i for i, line in enumerate(text.splitlines(), 1) if "+ x" in line)
    assert f"line {line}, outside the blanks, is not as it was written" in text_of_report(report)


def test_lost_comments_and_empty_blanks_are_reported():
    text = text_of(EXERCISES["linear"]).replace("# begin (LIN.3)", "#")
    assert [part.state for part in check_text(text, "linear.py").parts] == [BLANK, LOST, BLANK]
    text = text_of(EXERCISES["linear"]).replace('            self.weight.grad += blank("LIN.2")\n', "")
    report = check_text(text, "linear.py")
    assert report.parts[0].state == LOST and "(LIN.2)" in text_of_report(report)
    # without its comments, a right file still passes
    text = re.sub(r"^ *# (begin|end) .*\n", "", solved("linear"), flags=re.MULTILINE)
    assert check_text(text, "linear.py").solved


def test_exceptions_of_the_code_are_part_of_the_report():
    report = check_text(solved("relu", **{"RELU.2": "return dout / nothing"}), "relu.py")
    assert "(RELU.2): wrong NameError: name 'nothing' is not defined" in text_of_report(report)
    with pytest.raises(Blank, match=r"\(LIN.2\) is still blank"):
        blank("LIN.2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n    pass\n", "my.py, line 1: the file does not parse: invalid syntax"),
        ('x = 1\nEXERCISE = "liner"\n', "my.py, line 2: unknown exercise 'liner'; did you mean 'linear'?"),
        ("x = 1\n", 'my.py is not an exercise: it has no line EXERCISE = "NAME"'),
        ("EXERCISE = 3\n", "my.py is not an exercise"),
        ("x = '\0'\n", "my.py"),
    ],
)
def test_files_that_cannot_be_checked_are_refused_in_one_line(text, says):
    with pytest.raises(ValueError) as refused:
        check_text(text, "my.py")
    assert says in str(refused.value) and "\n" not in str(refused.value)


@EACH
def test_hints_go_from_the_idea_to_the_formula(name):
    exercise = EXERCISES[name]
    found, hints = find_hints(name)
    assert found == name and len(hints) == 1 + 2 * len(exercise.numbers) and hints[0] == exercise.idea
    assert hints[-len(exercise.numbers) :] == list(formulas(exercise).values())
    for equation in exercise.equations:
        assert find_hints(f"({equation.number})") == (name, find_hints(equation.number)[1])
        hint, formula = find_hints(equation.number.lower())[1]
        assert hint.startswith(f"({equation.number})") and formula == formulas(exercise)[equation.number]
    for number, code in solution(exercise).items():
        assert number in solution_text(exercise) and code.splitlines()[0].strip() in solution_text(exercise)


@pytest.mark.parametrize(
    ("name", "says"),
    [("liner", "unknown exercise 'liner'; did you mean 'linear'?"), ("LIN.33", "did you mean 'LIN.3'?")],
)
def test_hint_for_an_unknown_name_has_the_nearest_one(name, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        find_hints(name)


@pytest.mark.parametrize(
    ("equation", "left"),
    [
        ("  dW  = xᵀ·dout", "  dW  = ____"),
        ("  m ← β1·m + (1 − β1)·grad", "  m ← ____"),
        ("   dw = Σ dout·xhat,  db = Σ dout         (C,)", "   dw = ____,  db = ____    (C,)"),
        ("  dz   = J_gᵀ·dout          the decoder's backward", "  dz   = ____"),
        ("  da_t = du_t = dh_t·(1 − h_t²)", "  da_t = du_t = ____"),
        ("  dh_{t−1} += du_t·Uᵀ\n      more", "  dh_{t−1} += ____"),
    ],
)
def test_right_hand_sides_are_replaced(equation, left):
    assert left_side(equation) == left
