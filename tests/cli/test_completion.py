"""Completion scripts for shells, made by shtab."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from scratchgen import cli
from scratchgen.cli import completion


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


NAMES = {"train real": "real_nvp", "demo latent_g": "latent_grid", "exercise layer": "layer-norm"}
OPTIONS = {"train --bud": "--budget", "study compare --da": "--data", "study repro": "reproduce"}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder with the scripts of bash and zsh."""
    pytest.importorskip("shtab")
    folder = tmp_path_factory.mktemp("completion")
    for shell, name in (("bash", "scratchgen.bash"), ("zsh", "_scratchgen")):
        command = [sys.executable, "-m", "scratchgen", "completion", shell]
        (folder / name).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    return folder


ASK_BASH = """
source "$1"; shift
COMP_WORDS=(scratchgen "$@"); COMP_CWORD=$#; COMP_LINE="${COMP_WORDS[*]}"
_shtab_scratchgen scratchgen "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(("line", "expected"), [*NAMES.items(), *OPTIONS.items()])
def test_bash_completes_names_and_options(scripts, line, expected):
    if not shutil.which("bash"):
        pytest.skip("there is no bash")
    command = ["bash", "--norc", "-c", ASK_BASH, "ask", scripts / "scratchgen.bash", *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected] and done.stderr == ""


def typed_in_zsh(folder, line):
    """What the line is after the tab key, in an interactive zsh that finds the script in $fpath."""
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="dumb", PS1="", HOME=str(folder), COLUMNS="200")
        os.execvp("zsh", ["zsh", "-f", "-i"])
    seen = b""

    def write(text, mark):
        nonlocal seen
        seen, deadline = b"", time.monotonic() + 60
        os.write(terminal, text.encode())
        while mark not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 65536)
        assert mark in seen, seen

    try:
        setup = f"fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; echo REA''DY\n"
        write(setup, b"READY")
        # After the tab, the line becomes the argument of echo.
        write(f"{line}\t\x01echo '<\x05>'; echo DO''NE\n", b"DONE")
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
    return re.findall(r"\n<(.*)>", seen.decode().replace("\r", ""))[-1].strip()


@pytest.mark.skipif(os.name != "posix" or not shutil.which("zsh"), reason="there is no zsh")
@pytest.mark.parametrize(("line", "expected"), [*list(NAMES.items())[:1], *list(OPTIONS.items())[:2]])
def test_zsh_completes_names_and_options(scripts, line, expected):
    found = typed_in_zsh(scripts, f"scratchgen {line}")
    assert found == f"scratchgen {' '.join([*line.split()[:-1], expected])}"


@pytest.mark.skipif(os.name != "posix" or not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_completes_files(scripts):
    (scripts / "photographs.npz").touch()
    found = typed_in_zsh(scripts, f"scratchgen train vae --data {scripts}/photog")
    assert found == f"scratchgen train vae --data {scripts}/photographs.npz"


def test_every_name_that_a_command_lists_is_completed():
    known = completion.names()
    parser = cli.build_parser(*cli.COMMANDS)
    places = {(command, action.dest) for command, action in completion.actions(parser)}
    assert known.keys() <= places and all(known.values())
    files = [a.dest for _, a in completion.actions(parser) if a.metavar in completion.FILES]
    assert {"data", "out", "labels", "run_folder", "check"} <= set(files)
