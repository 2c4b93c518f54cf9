"""Training on MPI: the weights of one process, and what happens if a rank fails or is killed.

The tests run wherever mpirun and mpi4py are installed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scratchgen import cli
from scratchgen.runtime.ranks import in_threads
from scratchgen.training import checkpoint

ROOT = Path(__file__).resolve().parents[2]
MPIRUN = shutil.which("mpirun") or shutil.which("mpiexec")


@pytest.fixture(scope="module")
def mpirun():
    """The program that starts the ranks. The tests that need it are skipped if there is no MPI."""
    found = shutil.which("mpirun") or shutil.which("mpiexec")
    if found is None:
        pytest.skip("no MPI: mpirun is not installed")
    words = [sys.executable, "-c", "from mpi4py import MPI"]
    check = subprocess.run(words, capture_output=True, text=True, check=False)
    if check.returncode:
        pytest.skip(f"no MPI: {check.stderr.splitlines()[-1]}")
    return [found, *options(found)]


def options(mpirun):
    """What Open MPI needs in a container: to run as root, and more ranks than cores."""
    version = subprocess.run([mpirun, "--version"], capture_output=True, text=True, check=False).stdout
    if "Open MPI" not in version:
        return []
    return [*(["--allow-run-as-root"] if os.geteuid() == 0 else []), "--oversubscribe"]


def start(mpirun, folder, size, *words):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "SCRATCHGEN_DATA": ""}
    return subprocess.Popen(
        [*mpirun, "-n", str(size), sys.executable, *words], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def run(mpirun, folder, size, *words):
    process = start(mpirun, folder, size, *words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


SCRIPT = """
import numpy as np
from scratchgen.models import GAN, VAE
from scratchgen.training import mpi

X = np.random.default_rng(0).random((40, 12))

def vae():
    return VAE.dense((12, 6, 2), rng=1, dtype=np.float64).fit(X, epochs=2, batch_size=9, rng=3)

def gan():
    model = GAN.dense(3, (8, 8), 12, k=2, rng=1, dtype=np.float64)
    return model.fit(X, epochs=2, batch_size=7, rng=3, lr=0.01)

def weights(model):
    return np.concatenate([*(p.value.ravel() for p in model.parameters().values()),
                           *(b.ravel() for b in model.buffers().values())])
"""
TRAIN = SCRIPT + """
for ordered in (False, True):
    with mpi.data_parallel(ordered=ordered) as ranks:
        found = np.concatenate([weights(vae()), weights(gan())])
    if ranks.rank == 0:
        np.save(f"ordered-{ordered}.npy", found)
"""


@pytest.mark.slow
def test_weights_are_those_of_one_process_and_in_order_those_of_threads(mpirun, tmp_path):
    """To rounding in general. The bits are equal if a process adds the same parts in the same order."""
    names = {}
    exec(SCRIPT, names)     # the same functions in this process
    train = lambda: np.concatenate([names["weights"](names[n]()) for n in ("vae", "gan")])  # noqa: E731
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    code, _, err = run(mpirun, tmp_path, 3, "train.py")
    assert code == 0, err
    alone, in_order = train(), in_threads(3, train)[0]
    found = {ordered: np.load(tmp_path / f"ordered-{ordered}.npy") for ordered in (False, True)}
    np.testing.assert_allclose(found[False], alone, atol=1e-11)
    np.testing.assert_array_equal(found[True], in_order)


COMMAND = ("-m", "scratchgen", "train", "autoencoder", "--set", "hidden=16", "--code", "4", "--mpi")


@pytest.mark.slow
def test_rank_that_is_killed_ends_the_run_and_one_process_continues_it(mpirun, tmp_path, monkeypatch, capsys):
    """Kill -9 of rank 1 after the first checkpoint; the run is continued to the end of one process alone."""
    path = tmp_path / "runs" / "autoencoder" / "model.safetensors"
    pids = tmp_path / "pids"
    pids.mkdir()
    hook = (
        "import os, sys, pathlib, runpy\n"
        f"pathlib.Path({str(pids)!r}, os.environ.get('OMPI_COMM_WORLD_RANK', os.environ.get('PMI_RANK', '')))"
        ".write_text(str(os.getpid()))\n"
        "sys.argv = ['scratchgen', *sys.argv[1:]]\n"
        "runpy.run_module('scratchgen', run_name='__main__')\n"
    )
    (tmp_path / "hook.py").write_text(hook, encoding="utf-8")
    process = start(mpirun, tmp_path, 2, "hook.py", *COMMAND[2:], "--epochs", "1000")
    until = time.monotonic() + 60
    while not path.is_file() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    os.kill(int((pids / "1").read_text()), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and re.search(r"signal 9|KILLED|Killed", err), err
    assert not checkpoint.is_finished(path)
    epoch = _epochs(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCHGEN_DATA", "")
    assert cli.main(["train", *COMMAND[3:-1], "--resume", "--epochs", str(epoch + 1)]) == 0
    assert checkpoint.is_finished(path) and "squared error" in capsys.readouterr().out


def _epochs(path):
    from scratchgen.saving.container import parsed, read_metadata

    return parsed(path, read_metadata(path), "run")["epoch"]


FAILING = SCRIPT + """
from scratchgen.runtime.ranks import run_ranks

def validate():
    if run_ranks().rank == 1:
        raise ValueError("rank 1 cannot read its data")
    return 1.0

with mpi.data_parallel():
    VAE.dense((12, 6, 2), rng=1).fit(X.astype(np.float32), epochs=2, rng=3, validate=validate)
print("not reached")
"""


@pytest.mark.slow
def test_rank_that_raises_ends_all_ranks_with_its_message(mpirun, tmp_path):
    (tmp_path / "train.py").write_text(FAILING, encoding="utf-8")
    code, out, err = run(mpirun, tmp_path, 2, "train.py")
    assert code != 0 and "not reached" not in out
    assert "scratchgen: error: rank 1 of 2: rank 1 cannot read its data; all ranks end" in err


@pytest.mark.slow
def test_command_prints_and_writes_once(mpirun, tmp_path):
    code, out, err = run(mpirun, tmp_path, 2, *COMMAND, "--epochs", "1")
    assert code == 0, err
    assert out.count("squared error per test example") == out.count("weights and run are in") == 1
    assert err.count("epoch 1/1") == 1
    assert (tmp_path / "runs" / "autoencoder" / "model.safetensors").is_file()


@pytest.mark.parametrize(("words", "message"), [
    (["autoencoder", "--ordered"], "--ordered together with --mpi"),
    (["bayes", "--mpi"], "bayes is fitted in one step and has no --mpi"),
    (["translate", "--mpi"], "translate has no --mpi: its loss is a mean over words"),
])  # fmt: skip
def test_options_that_do_not_go_together_are_refused(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == 2
    assert message in capsys.readouterr().err


def test_missing_package_is_named_with_the_way_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert cli.main(["train", "vae", "--mpi"]) == 2
    assert 'needs mpi4py: pip install "scratchgen[mpi]"' in capsys.readouterr().err
