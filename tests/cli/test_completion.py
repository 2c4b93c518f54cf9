"""Completion scripts for shells, made by shtab."""

import shutil
import subprocess

import pytest

from scratchgen import cli


def test_completion_without_shtab_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "pip install 'scratchgen[completion]'" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_script_has_the_commands_and_their_options(capsys, shell):
    pytest.importorskip("shtab")
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in cli.COMMANDS)
    assert "--budget" in script and "--write-chapter" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
