"""The cache of compiled kernels: never stale, never damaged, never in a folder named ~."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import scratchgen
from scratchgen.kernels import cache
from scratchgen.kernels.compile import kernel

PACKAGE = Path(scratchgen.__file__).parent
ENTRIES = np.array([1.0, 2.0, 3.0])


def halve(x):
    return x * 0.5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for the cache."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def call():
    """Call a kernel as a new process would; return whether it was read from the cache."""
    dispatcher = kernel("contract")(halve)
    np.testing.assert_array_equal(dispatcher(ENTRIES), ENTRIES / 2)
    return bool(dispatcher.stats.cache_hits)


def test_kernel_is_compiled_once(folder):
    assert [call() for _ in range(3)] == [False, True, True]


def test_edit_of_any_source_makes_every_kernel_stale(folder, monkeypatch):
    call()
    monkeypatch.setattr(cache, "running_sources", lambda: "edited")
    monkeypatch.setattr(cache, "hash_sources", lambda: "edited")
    assert [call() for _ in range(2)] == [False, True]


def test_kernel_of_sources_that_changed_since_the_start_is_not_saved(folder, monkeypatch):
    monkeypatch.setattr(cache, "hash_sources", lambda: "edited after the start")
    assert [call() for _ in range(2)] == [False, False]
    assert not list(folder.rglob("*.nb?"))


@pytest.mark.parametrize("change", ["edit", "new file", "renamed file", "moved line"])
def test_hash_sources_sees_every_change(tmp_path, change):
    (tmp_path / "a.py").write_text("A = 1\n")
    (tmp_path / "b.py").write_text("B = 1\n")
    before = cache.hash_sources(tmp_path)
    assert before == cache.hash_sources(tmp_path)
    if change == "edit":
        (tmp_path / "b.py").write_text("B = 2\n")
    elif change == "new file":
        (tmp_path / "c.py").write_text("")
    elif change == "renamed file":
        (tmp_path / "b.py").rename(tmp_path / "c.py")
    else:
        (tmp_path / "a.py").write_text("")
        (tmp_path / "b.py").write_text("A = 1\nB = 1\n")
    assert cache.hash_sources(tmp_path) != before


@pytest.mark.slow
def test_constant_of_another_file_reaches_a_compiled_kernel(tmp_path):
    """SiLU in kernels/activations.py calls the exponential of kernels/mathematics.py."""
    copy = tmp_path / "scratchgen"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    code = "import numpy as np; from scratchgen import SiLU; print(SiLU().forward(np.ones((1, 3), 'f4'))[0])"
    env = {"PYTHONPATH": str(tmp_path), "PATH": ""}

    def run():
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    before = run()
    source = copy / "kernels" / "mathematics.py"
    text = source.read_text(encoding="utf-8")
    assert text.count("LOG2_E = f32(1.44269504)") == 1
    source.write_text(text.replace("LOG2_E = f32(1.44269504)", "LOG2_E = f32(9.0)"), encoding="utf-8")
    assert run() != before


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "noise", "longer", "flipped"])
def test_damaged_cache_is_compiled_anew(folder, ending, damage):
    call()
    (path,) = folder.rglob(f"*{ending}")
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "empty": b"",
        "cut": whole[:40],
        "zeros": bytes(len(whole)),
        "noise": np.random.default_rng(0).bytes(len(whole)),
        "longer": whole + b"\0" if ending == ".nbc" else b"\x80" + whole,
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }[damage])
    call()
    assert call()


def test_index_that_names_the_file_of_other_types_is_compiled_anew(folder):
    """As two processes that write at once can leave it: machine code for float32 called with float64."""
    call()
    (first,) = folder.rglob("*.nbc")
    dispatcher = kernel("contract")(halve)
    dispatcher(ENTRIES.astype(np.float32))
    (second,) = set(folder.rglob("*.nbc")) - {first}
    shutil.copy(second, first)
    assert not call()
    assert call()


def test_folder_that_becomes_unwritable_only_warns(folder, monkeypatch):
    def full(self, key, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.CacheFile, "save", full)
    cache.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        assert not call()


def test_no_home_folder_makes_no_folder_named_tilde(tmp_path, monkeypatch):
    """With a package that cannot be written to, Numba would write to ~/.cache, taken literally."""
    if os.name == "nt":
        pytest.skip("the home folder comes from other variables")
    import pwd

    def no_entry(uid):
        raise KeyError(uid)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    in_tree = numba.core.caching.InTreeCacheLocator
    monkeypatch.setattr(in_tree, "from_function", classmethod(lambda cls, *arguments: None))
    cache.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        assert not call()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert [call() for _ in range(2)] == [False, True]
