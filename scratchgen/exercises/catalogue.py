"""All exercises in their order, and what is derived from it: files, hints and the table of the chapter."""

from __future__ import annotations

from scratchgen.exercises import dense, flows, generative, images, sequences
from scratchgen.exercises.blanks import file_text, formulas, solution
from scratchgen.exercises.spec import Exercise

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for family in (dense, images, sequences, generative, flows)
    for exercise in family.EXERCISES
}


def place_of(exercise: Exercise) -> int:
    """The number of an exercise, counted from 1."""
    return list(EXERCISES).index(exercise.name) + 1


def text_of(exercise: Exercise) -> str:
    """The text of the exercise's file."""
    return file_text(exercise, place_of(exercise), len(EXERCISES))


def find_hints(name: str) -> tuple[str, list[str]]:
    """(the name of the exercise, all hints) for an exercise, or for one equation such as "LIN.2".

    For an exercise: its idea, a hint for each equation, and the formula of each. For an equation: its hint
    and its formula. Raises ValueError for an unknown name.
    """
    from scratchgen.checks import check_name

    by_number = {number: exercise for exercise in EXERCISES.values() for number in exercise.numbers}
    number = name.strip("()").upper()
    if number in by_number:
        exercise = by_number[number]
        (hint,) = (e.hint for e in exercise.equations if e.number == number)
        return exercise.name, [f"({number})  {hint}", formulas(exercise)[number]]
    if "." in name:
        check_name("equation of an exercise", number, by_number)
    exercise = EXERCISES[check_name("exercise", name, EXERCISES)]
    hints = [f"({equation.number})  {equation.hint}" for equation in exercise.equations]
    return exercise.name, [exercise.idea, *hints, *formulas(exercise).values()]


def solution_text(exercise: Exercise) -> str:
    """The formula of each blank equation, and the library's lines below it."""
    code, equations = solution(exercise), formulas(exercise)
    blocks = []
    for number in exercise.numbers:
        lines = "\n".join(f"    {line}" for line in code[number].splitlines())
        blocks.append(f"{equations[number]}\n\n{lines}")
    return "\n\n".join(blocks)


def table() -> str:
    """The table of docs/exercises.md."""
    rows = ["| | exercise | what it is about | blanks | chapter |", "|---|---|---|---|---|"]
    for i, exercise in enumerate(EXERCISES.values(), 1):
        page = exercise.chapter.removeprefix("docs/")
        numbers = ", ".join(f"({number})" for number in exercise.numbers)
        link = f"[{page.removesuffix('.md')}]({page})"
        rows.append(f"| {i} | `{exercise.name}` | {exercise.title} | {numbers} | {link} |")
    return "\n".join(rows)
