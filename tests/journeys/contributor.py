"""A contributor adds a layer, and the tests say what is missing, one thing after the other.

    python tests/journeys/contributor.py

docs/add-a-layer.md has all steps in their order. Here, only the layer itself is written at first.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.pages import ROOT, blocks
from helpers.pages_run import apply, copy_repository
from shell import Shell, run


def journey(shell: Shell) -> None:
    root = copy_repository(shell.path("checkout"))
    page = (ROOT / "docs/add-a-layer.md").read_text(encoding="utf-8")
    edits = {block.path: block for block in blocks(page) if block.path}

    # The layer is written and made public.
    for path in ("scratchgen/layers/cube.py", "scratchgen/layers/__init__.py"):
        apply(edits.pop(path), root)
    told = failures(root)
    assert "run make stubs" in told, told
    assert "add to LAYERS in scratchgen/gradcheck/layer_cases.py: Cube" in told, told
    assert "(CUBE.1) is in no chapter and in no test; seen in scratchgen/layers/cube.py" in told, told

    # Each message names the next file. Then nothing is missing.
    for block in edits.values():
        apply(block, root)
    python(root, "tools/write_stubs.py")
    told = failures(root)
    assert "cube" not in told.lower() and (told == "" or " passed" in told), told
    checked = python(root, "-m", "scratchgen", "gradcheck", "Cube").stdout
    assert "failed checks: 0" in checked


TESTS = (
    "tests/test_package.py::test_stubs_show_the_public_names",
    "tests/gradcheck/test_cases.py::test_every_layer_has_a_case",
    "tests/test_equations.py",
)  # fmt: skip


def failures(root: Path) -> str:
    """What the tests that know all public names say."""
    done = python(root, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *TESTS)
    return "" if done.returncode == 0 else " ".join(done.stdout.split())


def python(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, with the package of the copy."""
    print("$ python", *words)
    command = [sys.executable, "-B", *words]
    environment = {**os.environ, "PYTHONPATH": str(root), "SCRATCHGEN_DATA": ""}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, encoding="utf-8", check=False
    )


if __name__ == "__main__":
    run(journey)
