"""What differs on Windows, imitated: encodings, paths, missing functions and signals, spawned processes."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import like_windows
from helpers.pages import ROOT

from scratchgen.cli import apart

FOLDERS = ("scratchgen", "demos", "benchmarks", "fuzz", "tools")
ENCODING_AT = {"read_text": 0, "write_text": 1}     # the position of the encoding if it has no name


def opened_without_encoding(path: Path) -> list[str]:
    """One line for each call that opens a text file, or text streams of a process, without an encoding."""
    found = []
    source = path.read_text(encoding="utf-8")
    if not re.search(r"open\(|_text\(|text=", source):        # parsing every file would take long
        return []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if "encoding" in given or owner in ("os", "Image", "wave", "webbrowser"):
            continue
        position = 1 if owner == "" and isinstance(node.func, ast.Name) else 0
        mode = given.get("mode", node.args[position] if len(node.args) > position else None)
        binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
        in_archive = owner in ("archive", "part")
        text_process = isinstance(given.get("text"), ast.Constant) and owner == "subprocess"
        text_method = name in ENCODING_AT and len(node.args) <= ENCODING_AT[name]
        if text_method or text_process or (name == "open" and not binary and not in_archive):
            found.append(f"{path.name}:{node.lineno}: {name} has no encoding")
    return found


def test_text_files_are_opened_with_an_encoding():
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    assert [line for path in paths for line in opened_without_encoding(path)] == []


def test_file_that_is_opened_without_an_encoding_is_found(tmp_path):
    source = "\n".join([
        "open(a)", "open(a, 'w')", "p.open()", "p.open('a')", "p.read_text()", "p.write_text('x')",
        "subprocess.run(a, text=True)",
        "open(a, 'rb')", "open(a, encoding='utf-8')", "p.open('rb')", "p.read_text('utf-8')", "os.open(a, 1)",
    ])  # fmt: skip
    (tmp_path / "a.py").write_text(source, encoding="utf-8")
    lines = opened_without_encoding(tmp_path / "a.py")
    assert [line.split(":")[1] for line in lines] == [str(n) for n in range(1, 8)]


def run_like_windows(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run helpers/like_windows.py with cp1252 streams, and a default encoding of files that is not UTF-8."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    env |= {"PYTHONIOENCODING": "cp1252", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    env |= {"SCRATCHGEN_KERNELS": "reference"}      # compiles nothing
    command = [sys.executable, "-X", "utf8=0", "-X", "warn_default_encoding", like_windows.__file__, folder]
    return subprocess.run(
        [*command, *words], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
        encoding="cp1252", check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_everyday_work_needs_nothing_that_windows_lacks(tmp_path):
    folder = tmp_path / "Program Files" / "back\\slash"
    folder.mkdir(parents=True)
    done = run_like_windows(folder)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_default_encoding_is_an_error_in_this_imitation(tmp_path):
    done = run_like_windows(tmp_path, "planted")
    assert done.returncode == 1 and "EncodingWarning" in done.stderr


def test_process_of_user_code_ends_where_there_are_no_process_groups(monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.delattr(os, "killpg")
    monkeypatch.setattr(os, "name", "nt")
    apart.end(process)
    assert process.returncode != 0
