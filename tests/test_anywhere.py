"""Unusual environments: consoles, folders, environment variables, child processes, a package in a zip."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from scratchgen import cli, kernels
from scratchgen.training.callbacks import ProgressBar

ROOT = Path(__file__).resolve().parent.parent
ENCODINGS = ("cp1252", "cp437", "latin-1", "ascii", "cp932")
# Fast commands that print characters such as × and –.
COMMANDS = (["gradcheck", "Tanh"], ["demo", "--list"], ["study", "--list"], ["study", "ood", "--list"])
FEW = ("--set", "updates=20", "--set", "cells=40")


def run(*words: str | Path, cwd: Path, options: tuple[str, ...] = (), **env: str) -> str:
    """Run Python with these arguments and only these environment variables; return its output."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"} | env
    done = subprocess.run(
        [sys.executable, *options, *words], cwd=cwd, env=env, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode("utf-8", errors="replace")


def exit_code(words: list[str]) -> object:
    try:
        return cli.main(words)
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_commands_print_on_consoles_that_are_not_utf_8(monkeypatch, encoding):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    for words in COMMANDS:
        assert exit_code(words) == 0, words
    assert exit_code(["gradcheck", "Löwe → ∞"]) == 2      # the error contains the name


@pytest.mark.parametrize("columns", ["1", "60", "80", "many"])
def test_help_needs_no_wide_terminal(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for command in ([], *([name] for name in cli.COMMANDS), ["study", "ood"], ["train", "vae"]):
        assert exit_code([*command, "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert columns in ("1", "many") or max(map(len, lines)) <= int(columns) + 1, command


def test_command_runs_without_stdout_and_stderr(monkeypatch):
    """Python sets both to None if they are closed, and in pythonw, which has no console."""
    from helpers.tiny_run import tiny_trainer

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    tiny_trainer(epochs=1, callbacks=[ProgressBar()]).run()
    assert exit_code(["study", "--list"]) == 0
    assert exit_code(["study", "nothing"]) == 2
    for stream in (sys.stdout, sys.stderr):
        assert stream is not None
        stream.close()


def test_deleted_current_folder_is_named_in_one_line(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert exit_code(["study", "--list"]) == 0
    capsys.readouterr()
    assert exit_code(["download", "mnist"]) == 2
    err = capsys.readouterr().err
    assert err == "scratchgen: error: the current folder was deleted; change to a folder that exists\n"


@pytest.mark.parametrize(
    ("disable", "chosen", "backend"),
    [
        ("1", "", "reference"), ("0", "", "jit"), ("", "", "jit"),
        ("1", "jit", "jit"), ("0", "reference", "reference"),
    ],
)
def test_no_compiler_means_the_readable_functions(monkeypatch, disable, chosen, backend):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", disable)
    monkeypatch.setenv("SCRATCHGEN_KERNELS", chosen)
    assert kernels.from_environment() == backend


def test_optional_packages_may_be_missing_and_are_not_loaded(tmp_path):
    code = (
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'torch', 'jax', 'pandas'):\n"
        "    sys.modules[name] = None\n"      # an import raises ImportError
        "import scratchgen\n"
        "for name in scratchgen.__all__:\n"
        "    getattr(scratchgen, name)\n"
        "loaded = {'matplotlib', 'numba', 'tqdm', 'pooch'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    run("-c", code, cwd=tmp_path)


@pytest.mark.slow
def test_demo_runs_in_the_worst_surroundings(tmp_path):
    """No home, display or temporary folder, a missing backend, no compiler, an old locale, an odd path."""
    options = ("-OO", "-W", "error", "-X", "utf8=0")
    fonts = matplotlib.get_configdir()      # in another folder, making a new list of fonts would take seconds
    folder = tmp_path / "with space" / "e\N{COMBINING ACUTE ACCENT}ü日本"
    folder.mkdir(parents=True)
    surroundings = {
        "MPLBACKEND": "missing", "MPLCONFIGDIR": fonts, "TMPDIR": "/missing", "COLUMNS": "1",
        "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "SOURCE_DATE_EPOCH": "0",
        "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": "/dev/null/missing",
    }  # fmt: skip
    command = ("-m", "scratchgen", "demo", "change_of_variables")
    run(*command, *FEW, "--out", folder, cwd=folder, options=options, **surroundings)
    assert (folder / "change_of_variables.png").stat().st_size > 10_000
    described = run(*command, "--describe", cwd=folder, options=options, **surroundings)
    assert described == run(*command, "--describe", cwd=folder, PYTHONIOENCODING="ascii", COLUMNS="1")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["change_of_variables.json", "change_of_variables.png"]


@pytest.mark.slow
def test_results_are_saved_although_stdout_is_closed(tmp_path):
    """If stdout is closed, the next file that is opened must not take its place."""
    words = ("train", "autoencoder", "--epochs", "1", "--code", "2", "--out", "a.safetensors")
    close = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    run("-c", close, "-m", "scratchgen", *words, cwd=tmp_path, SCRATCHGEN_KERNELS="reference")
    header = (tmp_path / "a.safetensors").read_bytes()
    assert json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])


@pytest.mark.slow
def test_child_processes_compute_the_same_with_every_start_method(tmp_path):
    script = tmp_path / "children.py"
    script.write_text(
        "import multiprocessing\n"
        "import numpy as np\n"
        "def work(seed):\n"
        "    from scratchgen import Linear\n"
        "    layer = Linear(40, 300, rng=seed)\n"
        "    out, cache = layer.forward(np.random.default_rng(seed).random((9000, 40)).astype('f4'))\n"
        "    layer.backward(out, cache)\n"
        "    return out.tobytes() + layer.weight.grad.tobytes()\n"
        "if __name__ == '__main__':\n"
        "    here = work(3)\n"
        "    for method in multiprocessing.get_all_start_methods():\n"
        "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
        "            assert pool.map(work, [3]) == [here], method\n"
    )
    run(script, cwd=tmp_path, OPENBLAS_NUM_THREADS="2")


@pytest.mark.slow
def test_package_in_a_zip_archive_runs_and_its_kernels_are_not_stale(tmp_path):
    archive = tmp_path / "scratchgen.zip"
    code = (
        "import numpy as np, scratchgen\n"
        "from scratchgen.data import load_digits, load_text\n"
        "assert '.zip' in scratchgen.__file__\n"
        "assert len(load_text()) == 142486 and len(load_digits('embedded').x_train) == 6000\n"
        "print(float(scratchgen.SiLU().forward(np.ones((1, 3), 'f4'))[0][0, 0]))\n"
    )

    def silu_of_one(log2_e: str) -> float:
        with zipfile.ZipFile(archive, "w") as file:
            for path in (ROOT / "scratchgen").rglob("*.*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    content = path.read_bytes()
                    if path.name == "mathematics.py":
                        content = content.replace(b"LOG2_E = f32(1.44269504)", f"LOG2_E = {log2_e}".encode())
                    file.writestr(path.relative_to(ROOT).as_posix(), content)
        env = {"PYTHONPATH": str(archive), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        return float(run("-c", code, cwd=tmp_path, **env))

    np.testing.assert_allclose(silu_of_one("f32(1.44269504)"), 0.7310586, rtol=1e-6)
    assert abs(silu_of_one("f32(9.0)") - 0.7310586) > 0.01
