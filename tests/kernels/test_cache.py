"""The cache of compiled kernels: never stale, never damaged, never in a folder named ~."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numba
import numpy as np
import pytest

import scratchgen
import scratchgen.kernels.activations
import scratchgen.layers.activations
from scratchgen import kernels, layers
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


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "noise", "longer", "flipped"])
def test_damaged_cache_is_compiled_anew(folder, damage):
    call()
    (path,) = folder.rglob("*.nbc")
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "empty": b"",
        "cut": whole[:40],
        "zeros": bytes(len(whole)),
        "noise": np.random.default_rng(0).bytes(len(whole)),
        "longer": whole + b"\0",
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }[damage])
    call()
    assert call()


def test_every_flipped_bit_is_found_before_anything_is_unpickled(folder, monkeypatch):
    """With one wrong bit, unpickling may take minutes and gigabytes."""
    call()
    (path,) = folder.rglob("*.nbc")
    whole = path.read_bytes()
    files = kernel("contract")(halve)._cache._cache_file
    monkeypatch.setattr(files, "path", lambda key: path)
    monkeypatch.setattr(cache, "loads", lambda data: pytest.fail("a damaged file was unpickled"))
    for bit in np.random.default_rng(0).integers(8 * len(whole), size=200):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            files.load("any key")


def test_file_that_cannot_be_unpickled_is_removed_and_compiled_anew(folder):
    call()
    (path,) = folder.rglob("*.nbc")
    data = b"not a pickle"
    path.write_bytes(hashlib.sha256(data).digest() + data)
    assert not call()
    assert call()


def test_file_that_cannot_be_read_is_replaced(folder, monkeypatch):
    """Like the file of another user. The error is simulated, because root may read any file."""
    call()
    (path,) = folder.rglob("*.nbc")
    with monkeypatch.context() as patched:
        refused = PermissionError(13, "Permission denied")
        patched.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(refused))
        patched.setattr(cache, "hash_sources", cache.running_sources)
        assert not call()
    assert call() and path.exists()


def test_folder_in_the_place_of_a_cache_file_only_warns(folder):
    call()
    (path,) = folder.rglob("*.nbc")
    path.unlink()
    path.mkdir()
    cache.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        assert not call()


def test_leftovers_of_killed_processes_are_removed(folder):
    call()
    (path,) = folder.rglob("*.nbc")
    path.unlink()
    old, new = (path.with_name(f"{path.name}.{name}.tmp") for name in ("0000", "0001"))
    for leftover in (old, new):
        leftover.write_bytes(b"half")
    os.utime(old, (0, 0))
    call()
    assert not old.exists() and new.exists()    # another process may be writing the new one


def test_versions_of_numba_do_not_replace_each_others_files(folder, monkeypatch):
    call()
    monkeypatch.setattr(numba, "__version__", "0.1")
    assert not call()
    monkeypatch.undo()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    assert call()


def test_sources_that_cannot_be_read_any_more_only_warn(folder, monkeypatch):
    """This happens while the package is being updated."""
    def missing():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(cache, "hash_sources", missing)
    cache.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        assert not call()


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), ValueError("No zip file in path")])
def test_error_of_a_locator_means_no_cache(monkeypatch, error):
    def fail(self, function):
        raise error

    monkeypatch.setattr(cache.FunctionCache, "__init__", fail)
    with pytest.raises(RuntimeError, match="no folder for the cache"):
        cache.KernelCache(halve)


def test_cache_folder_that_is_a_file_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
    call()
    assert (tmp_path / "file").read_text() == ""


def test_sources_in_a_zip_archive_are_hashed(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("kernels/a.py", "A = 1\n")
    (tmp_path / "a.py").write_text("A = 1\n")
    folder = zipfile.Path(tmp_path / "a.zip", "kernels/")
    assert cache.hash_sources(folder) == cache.hash_sources(tmp_path)


def test_file_of_other_types_is_compiled_anew(folder):
    """Machine code for float32 is never called with float64."""
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

    monkeypatch.setattr(cache.CacheFiles, "save", full)
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
    locators = numba.core.caching.CompileResultCacheImpl._locator_classes
    (in_tree,) = (locator for locator in locators if locator.__name__.lstrip("_") == "InTreeCacheLocator")
    monkeypatch.setattr(in_tree, "from_function", classmethod(lambda cls, *arguments: None))
    cache.warn_uncached.cache_clear()
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR"):
        assert not call()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert [call() for _ in range(2)] == [False, True]


def test_compiled_code_contains_values_of_this_package_only():
    """A constant or function of another package would stay in the cache after an edit of its file."""
    outside = []
    for path in sorted((PACKAGE / "kernels").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scratchgen"):
                outside.append(node.module)
    # Python calls what these define; no kernel contains them.
    allowed = {"scratchgen.runtime", "scratchgen.runtime.process", "scratchgen.checks"}
    assert {name for name in outside if not name.startswith("scratchgen.kernels")} <= allowed


def test_constants_of_gelu_are_the_same_in_both_places():
    names = ("GELU_A", "GELU_B", "GELU_LARGEST_SLOPE")
    for name in names:
        assert getattr(layers.activations, name) == getattr(kernels.activations, name)
