"""The examples of some pages run one after another and print what the page shows."""

import contextlib
import io

import pytest
from helpers.pages import ROOT, blocks


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scikit-learn.md", "your-data.md"])
def test_examples_print_what_the_page_shows(name):
    if name == "scikit-learn.md":
        pytest.importorskip("sklearn")
    page = blocks((ROOT / "docs" / name).read_text(encoding="utf-8"))
    names = {"__name__": "page"}
    shown = [block for block in page if block.language in ("python", "text")]
    assert len(shown) == 10 and [block.language for block in shown] == ["python", "text"] * 5
    for code, expected in zip(shown[::2], shown[1::2], strict=True):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code.text, f"docs/{name}", "exec"), names)
        assert printed.getvalue() == expected.text
