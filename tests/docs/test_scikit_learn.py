"""The examples of docs/scikit-learn.md run one after another and print what the page shows."""

import contextlib
import io

import pytest
from helpers.pages import ROOT, blocks

pytest.importorskip("sklearn")


@pytest.mark.slow
def test_examples_print_what_the_page_shows():
    page = blocks((ROOT / "docs" / "scikit-learn.md").read_text(encoding="utf-8"))
    names = {"__name__": "page"}
    shown = [block for block in page if block.language in ("python", "text")]
    assert len(shown) == 10 and [block.language for block in shown] == ["python", "text"] * 5
    for code, expected in zip(shown[::2], shown[1::2], strict=True):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code.text, "docs/scikit-learn.md", "exec"), names)
        assert printed.getvalue() == expected.text
