"""The examples of docs/export.md run one after another and print what the page shows."""

import contextlib
import io

import pytest
from helpers.pages import ROOT, blocks


@pytest.mark.slow
def test_examples_print_what_the_page_shows(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    from scratchgen.export.graph import ONNX_RULES

    before = dict(ONNX_RULES)
    page = blocks((ROOT / "docs" / "export.md").read_text(encoding="utf-8"))
    names, printed, compared = {"__name__": "page"}, "", 0
    try:
        for block in page:
            if block.language == "text":
                assert printed == block.text
                printed, compared = "", compared + 1
            elif block.language == "python":
                assert printed == ""
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(block.text, "docs/export.md", "exec"), names)
                printed = out.getvalue()
    finally:
        ONNX_RULES.clear()
        ONNX_RULES.update(before)
    assert compared == 7
