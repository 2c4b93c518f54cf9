"""The steps of docs/add-a-layer.md work: its edits are made in a copy, and its commands run there."""

import sys

import pytest
from helpers.pages import Block
from helpers.pages_run import apply, copy_repository, follow, run


@pytest.mark.slow
def test_page_adds_a_layer(tmp_path):
    """The layer is public and checked, and its equations are complete."""
    root = copy_repository(tmp_path)
    printed = follow("add-a-layer.md", root)
    checked = printed["scratchgen gradcheck Cube"]
    assert checked.count("  ok\n") >= 10 and "FAIL" not in checked and "failed checks: 0" in checked
    tests = [text for line, text in printed.items() if line.startswith("pytest")]
    assert len(tests) == 3 and all(" passed" in text for text in tests)
    code = "import scratchgen; print('Cube' in scratchgen.__all__, scratchgen.Cube.__module__)"
    assert run([sys.executable, "-c", code], root).split() == ["True", "scratchgen.layers.cube"]
    assert "Cube as Cube" in (root / "scratchgen" / "__init__.pyi").read_text(encoding="utf-8")


def test_edit_needs_its_lines_to_be_there_once(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\nb = 2\nb = 2\n")
    apply(Block("diff", "a.py", "edit", "-a = 1\n+a = 3\n@@\n a = 3\n+c = 4\n"), tmp_path)
    assert (tmp_path / "a.py").read_text() == "a = 3\nc = 4\nb = 2\nb = 2\n"
    for lines in (" b = 2\n+c = 5\n", " d = 2\n+c = 5\n"):
        with pytest.raises(ValueError, match=r"expected these lines once in a\.py"):
            apply(Block("diff", "a.py", "edit", lines), tmp_path)
