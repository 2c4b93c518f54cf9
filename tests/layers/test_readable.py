"""The code in layers/ contains no threads, no output arguments and no uninitialised memory."""

import re
from pathlib import Path

import pytest

from scratchgen import layers

FOLDER = Path(layers.__file__).parent
UNWANTED = re.compile(r"threads|\bout=|np\.empty|scratch memory|numba", re.IGNORECASE)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_layers_contain_no_code_for_speed(path):
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if UNWANTED.search(line)]
    assert not found


def test_unwanted_code_is_found():
    for line in ("np.matmul(a, b, out=c)", "threads.share(work, 3)", "x = np.empty_like(y)"):
        assert UNWANTED.search(line)
    assert not UNWANTED.search("layout=3  # (N, H, W, C)")


def test_base_is_short():
    assert len((FOLDER / "base.py").read_text(encoding="utf-8").splitlines()) <= 120
