"""`scratchgen exercise`: files, hints, progress, and the check in a process of its own."""

import json
import re

import pytest

from scratchgen import cli
from scratchgen.exercises.blanks import fill, solution
from scratchgen.exercises.catalogue import EXERCISES, text_of
from scratchgen.exercises.progress import VARIABLE


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "progress.json"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(name, **code):
    return fill(text_of(EXERCISES[name]), {**solution(EXERCISES[name]), **code})


def test_exercise_is_written_checked_and_remembered(folder, capfd):
    assert cli.main(["exercise", "relu"]) == 0
    assert (folder / "relu.py").read_text(encoding="utf-8") == text_of(EXERCISES["relu"])
    (folder / "relu.py").write_text(filled("relu"), encoding="utf-8")
    capfd.readouterr()
    assert cli.main(["exercise", "--check", "relu.py", "--timeout", "600"]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "relu: the equation is right", f"solved: 1 of {len(EXERCISES)}; next: scratchgen exercise linear"
    ]  # fmt: skip
    assert err == ""
    assert cli.main(["exercise", "--list"]) == 0
    out = capfd.readouterr().out
    assert "[ ]  1 linear" in out and "[x]  2 relu" in out
    assert max(map(len, out.splitlines())) <= 80
    names = re.findall(r"^\[.\] +\d+ (\S+)", out, re.MULTILINE)
    assert names == list(EXERCISES)


def test_endless_loop_is_reported(folder, capfd):
    text = filled("relu", **{"RELU.2": "while True:\n    pass"})
    (folder / "relu.py").write_text(text, encoding="utf-8")
    assert cli.main(["exercise", "--check", "relu.py", "--timeout", "2"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and "relu.py did not finish within 2 s" in err and err.count("\n") == 1


def test_wrong_answer_and_exception_are_reported_with_their_lines(folder, capfd):
    from scratchgen.cli import own_exercise

    code = {"LIN.3": "return dout.mean(axis=0)", "LIN.4": "return nothing"}
    text = filled("linear", **code)
    (folder / "linear.py").write_text(text, encoding="utf-8")
    assert own_exercise.check("linear.py", folder / "linear.py", 80, False) == own_exercise.FAILED
    out = capfd.readouterr().out
    line = text.splitlines().index("    return nothing") + 1
    assert "divided by the batch size N (7)" in " ".join(out.split())
    place = f"NameError: name 'nothing' is not defined (linear.py, line {line}, in affine_input_grad)"
    assert place in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_hints_go_on_and_the_solution_is_shown(capsys):
    for i in range(1, 5):
        assert cli.main(["exercise", "--hint", "relu"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"hint {min(i, 3)} of 3 for relu:")
        assert ("This is the last hint" in out) == (i >= 3)
    assert cli.main(["exercise", "--hint", "LIN.3"]) == 0
    assert capsys.readouterr().out.startswith("hint 1 of 2 for LIN.3:")
    assert cli.main(["exercise", "--solution", "relu"]) == 0
    assert "(RELU.2)  dx  = dout where out > 0" in capsys.readouterr().out


def test_file_is_not_overwritten_without_the_option(folder, capsys):
    (folder / "mine.py").write_text("my work", encoding="utf-8")
    assert cli.main(["exercise", "relu", "--out", "mine.py"]) == 2
    assert "mine.py exists, and may contain your work; --overwrite replaces it" in capsys.readouterr().err
    assert (folder / "mine.py").read_text(encoding="utf-8") == "my work"
    assert cli.main(["exercise", "relu", "--out", "mine.py", "--overwrite"]) == 0
    assert "EXERCISE" in (folder / "mine.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "exercise expected a NAME, --list, --check FILE, --hint NAME or --solution NAME"),
        (["liner"], "unknown exercise 'liner'; did you mean 'linear'?"),
        (["--hint", "liner"], "unknown exercise 'liner'; did you mean 'linear'?"),
        (["--solution", "liner"], "unknown exercise 'liner'; did you mean 'linear'?"),
        (["--check", "missing.py"], "missing.py: No such file or directory"),
        (["--check", "other.py"], "other.py is not an exercise: it has no line EXERCISE"),
        (["--check", "broken.py"], "broken.py, line 2: the file does not parse"),
        (["--check", "bytes.py"], "bytes.py expected a Python file in UTF-8"),
        (["linear", "--list"], "exercise expected NAME or an option such as --check, got both (linear)"),
        (["--list", "--overwrite"], "--out and --overwrite expected the NAME of an exercise to write"),
    ],
)
def test_bad_input_is_refused_in_one_line(folder, capsys, argv, says):
    (folder / "other.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "broken.py").write_text("x = 1\nx = = 2\n", encoding="utf-8")
    (folder / "bytes.py").write_bytes(b"\xff\xfe")
    assert cli.main(["exercise", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("scratchgen: error: ") and says in err and err.count("\n") == 1


def test_damaged_progress_is_reported_after_the_check(folder, capfd):
    (folder / "progress.json").write_text("{", encoding="utf-8")
    assert cli.main(["exercise", "--list"]) == 2
    assert "progress.json expected the progress of exercises" in capfd.readouterr().err


def test_two_questions_at_once_are_refused(capsys):
    assert cli.main(["exercise", "--list", "--hint", "linear"]) == 2
    assert "exercise expected one of --list, --check, --hint and --solution, got several" in (
        capsys.readouterr().err
    )


def told(capfd, *words, code=0):
    assert cli.main(["exercise", *words, "--json"]) == code
    return json.loads(capfd.readouterr().out)


def test_every_option_answers_as_json(folder, capfd):
    assert told(capfd, "relu") == {"exercise": "relu", "file": "relu.py"}
    found = told(capfd, "--check", "relu.py", code=1)
    assert found["blanks"] == ["RELU.2"] and not found["solved"] and found["next"] == "linear"
    text = filled("relu", **{"RELU.2": "return 2 * np.where(out > 0, dout, 0)"}) + "print('hello')\n"
    (folder / "relu.py").write_text(text, encoding="utf-8")
    (equation,) = told(capfd, "--check", "relu.py", code=1)["equations"]
    assert equation["numbers"] == ["RELU.2"] and equation["state"] == "wrong"
    assert "every entry is twice what it should be" in equation["failed"][0]["explanation"]
    hint = told(capfd, "--hint", "RELU.2")
    assert hint["exercise"] == "relu" and (hint["index"], hint["hint"][-1]) == (1, ".")
    assert "np.where" in told(capfd, "--solution", "relu")["solution"]
    (folder / "relu.py").write_text(filled("relu"), encoding="utf-8")
    assert told(capfd, "--check", "relu.py")["solved"]
    listed = told(capfd, "--list")["exercises"]
    assert [name for name, entry in listed.items() if entry["solved"]] == ["relu"]
    assert list(listed) == list(EXERCISES) and listed["relu"]["equations"] == ["RELU.2"]
