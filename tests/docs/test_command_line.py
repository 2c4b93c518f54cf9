"""The examples of docs/command-line.md run, and print what the page says, except for measured numbers."""

import re
import shlex
from pathlib import Path

import pytest
from helpers.pages import ROOT

from scratchgen import cli

PAGE = ROOT / "docs" / "command-line.md"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


def examples(text):
    """Python code, and (command, output) of each console block, in the order of the page."""
    for kind, body in re.findall(r"^```(python|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            yield body, None
        else:
            for part in body.removeprefix("$ ").split("\n$ "):
                command, _, output = part.partition("\n")
                yield command, output.rstrip("\n")


def without_numbers(text):
    return [NUMBER.sub("#", " ".join(line.split())) for line in text.strip().splitlines()]


@pytest.mark.slow
def test_examples_print_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRATCHGEN_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("scratchgen.data.mnist.cache_folder", lambda *name: tmp_path / "cache")
    monkeypatch.setattr("scratchgen.data.digits.cache_folder", lambda *name: tmp_path / "cache")
    commands = 0
    for example, output in examples(PAGE.read_text(encoding="utf-8")):
        if output is None:
            exec(compile(example, str(PAGE), "exec"), {})
            continue
        code = cli.main(shlex.split(example)[1:])
        out, err = capsys.readouterr()
        failed = output.startswith("scratchgen: error")
        assert code == (2 if failed else 0), (example, err)
        assert without_numbers(err if failed else out) == without_numbers(output), example
        commands += 1
    assert commands > 12


def test_options_that_the_page_names_exist():
    text = PAGE.read_text(encoding="utf-8")
    folder = Path(cli.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    missing = {option for option in re.findall(r"--[a-z][a-z-]+", text) if f'"{option}"' not in code}
    assert missing == {"--help"}        # of argparse
