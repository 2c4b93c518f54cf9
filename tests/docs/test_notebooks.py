"""The cells of the notebooks are the blocks that tests run, and they print what the chapters say."""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.chapters import Chapter, chapters, equal, shown_output
from helpers.pages import ROOT, anchors, blocks, links, without_code
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason='nbformat is not installed: pip install -e ".[test]"')

from website import notebooks, run_notebooks  # noqa: E402

CHAPTERS = chapters()
TAG = re.compile(r"\\tag\{([\w.]+)\}")
LARGEST = 1_000_000         # bytes of a notebook with its outputs
# Training two players amplifies rounding errors: only the first epoch is compared, as in test_chapters.py
GAMES = {"gan", "wgan", "conditional-gan"}
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


def cells(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def text_of(cell):
    return "".join(cell["source"])


def test_every_chapter_has_a_notebook():
    assert list(notebooks.names()) == [chapter.name for chapter in CHAPTERS]


@each
def test_cells_are_the_blocks_that_the_tests_of_chapters_run(chapter):
    made = notebooks.notebook(chapter.name)
    assert made == notebooks.notebook(chapter.name)
    code = [text_of(cell) + "\n" for cell in cells(made, "code")]
    run = [block.text for question in chapter.questions for block in question.code] + [chapter.curve[0]]
    assert [text for text in code if text in run] == run
    assert code[-1].startswith("from scratchgen import plots") and code[-2] == run[-1]
    text = "\n".join(text_of(cell) for cell in cells(made, "markdown"))
    python = [block.text for block in blocks(chapter.text) if block.language == "python"]
    assert [block for block in python if (block in code) == (f"```python\n{block}```" in text)] == []


@each
def test_text_is_complete_and_its_links_and_pictures_work(chapter):
    made = notebooks.notebook(chapter.name)
    parts = cells(made, "markdown")
    text = "\n\n".join(text_of(cell) for cell in parts)
    assert text.startswith(f"# {notebooks.title_of(chapter.name)}\n") and "pip install scratchgen" in text
    assert "<details>" not in text and "<summary>" not in text and "```math" not in text
    assert TAG.findall(text) == TAG.findall(chapter.text)
    assert text.count("$$") == chapter.text.count("$$") + 2 * chapter.text.count("```math")
    headings = {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in links(re.sub(r'<img [^>]*src="data:image/svg[^>]*>', "", text)):
        name, _, anchor = target.partition("#")
        ours = name.removesuffix(".ipynb") in notebooks.names() or (not name and anchor in headings)
        assert ours or re.match(r"https?:|attachment:", target), target
    shown = 0
    for cell in parts:
        named = re.findall(r"!\[[^\]]+\]\(attachment:([^)]+)\)", text_of(cell))
        assert set(named) == set(cell.get("attachments", {}))
        for name in named:
            data = base64.b64decode(cell["attachments"][name]["image/png"])
            with Image.open(io.BytesIO(data)) as image:
                assert image.width <= notebooks.WIDTH
        svg = re.findall(r'<img alt="[^"]+" src="data:image/svg\+xml;base64,([^"]+)">', text_of(cell))
        assert all(b"<svg" in base64.b64decode(data) for data in svg)
        shown += len(named) + len(svg)
    assert shown == len(re.findall(r"!\[", without_code(chapter.text)))


def test_links_lead_to_the_repository_if_its_address_is_known(monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_URL", "https://example.org/a/b/")
    made = notebooks.notebook("gan")
    found = links("\n\n".join(text_of(cell) for cell in cells(made, "markdown")))
    prefix = "https://example.org/a/b/blob/main/"
    for target in (target for target in found if target.startswith(prefix)):
        path, _, anchor = target.removeprefix(prefix).partition("#")
        assert (ROOT / path).exists(), target
        assert not anchor or anchor in anchors((ROOT / path).read_text(encoding="utf-8")), target
    assert {f"{prefix}docs/gan.md", f"{prefix}docs/vae.md", f"{prefix}demos/gan/balance.py"} <= set(found)
    others = [target for target in found if not re.match(r"https?:|attachment:|data:|#", target)]
    assert others == []


def test_blocks_that_need_other_names_do_not_become_cells():
    code = "import a.b as c, d\ndef f(x, *y):\n    return [c(z, x, y, d) for z in y]\nprint(f(1))"
    assert notebooks.runs_alone(code)
    for code in ("print(x)", "x += 1\ny = x + z", "from a import b\nc(b)", "x = [1, 2]    y = 3"):
        assert not notebooks.runs_alone(code), code


def test_anchor_that_no_heading_has_is_refused():
    assert notebooks.jupyter_anchor("appendix-what-was-tried", "gan") == "Appendix:-what-was-tried"
    with pytest.raises(ValueError, match=r"gan\.md has no heading for the link to #nowhere"):
        notebooks.jupyter_anchor("nowhere", "gan")


def complaints(notebook, chapter):
    """What is wrong with the outputs of a notebook."""
    found, code = [], cells(notebook, "code")
    if [cell["execution_count"] for cell in code] != list(range(1, len(code) + 1)):
        found.append("its cells were not run from the first to the last")
    for cell in code:
        outputs, source = cell["outputs"], text_of(cell)
        wrong = [kind for kind in kinds(outputs) if kind not in ("stdout", "display")]
        found += [f"an output of the kind {kind}" for kind in wrong]
        printed, shown = printed_by(cell), shown_output(source)
        if shown and len(shown) != len(printed):
            found.append(f"{len(printed)} lines in place of {len(shown)}, after {source!r}")
        elif shown:
            pairs = zip(printed, shown, strict=True)
            found += [f"prints {a}, the chapter has {b}" for a, b in pairs if not equal(a, b)]
    rows = dict(line.rsplit(": ", 1) for line in printed_by(code[-1])[1:])
    _, _, table = chapter.curve
    if list(rows) != list(table):
        return [*found, f"curves of {list(rows)}, the chapter has {list(table)}"]
    compared = 1 if chapter.name in GAMES else 3
    for name, text in rows.items():
        values = [float(value) for value in text.split(", ")]
        if values[:compared] != pytest.approx(table[name][:compared], rel=0.03, abs=0.02) or len(values) != 3:
            found.append(f"the curve {name} has {text}, the chapter has {table[name]}")
    if not any("image/png" in out.get("data", {}) for out in code[-1]["outputs"]):
        found.append("no figure of the curve")
    return found


def printed_by(cell):
    """The lines that a cell printed. Jupyter may divide them among several outputs."""
    texts = [text for out in cell["outputs"] if out.get("name") == "stdout" for text in out["text"]]
    return "".join(texts).splitlines()


def kinds(outputs):
    """The kind of each output: "stdout", "stderr", "display" or "error"."""
    names = {"execute_result": "display", "display_data": "display"}
    return [names.get(out["output_type"], out.get("name", out["output_type"])) for out in outputs]


@pytest.mark.slow
def test_notebooks_run_within_the_budget_and_print_what_the_chapters_say(tmp_path):
    """The budget is that of make site, which runs them in the same way."""
    pytest.importorskip("nbclient", reason='nbclient is not installed: pip install -e ".[test]"')
    script = ROOT / "website" / "run_notebooks.py"
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    wrong = []
    for chapter in CHAPTERS:
        path = tmp_path / f"{chapter.name}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert path.stat().st_size < LARGEST, path.name
        wrong += [f"{path.name}: {text}" for text in complaints(notebook, chapter)]
    assert not wrong, "\n".join(wrong)


def test_outputs_are_kept_until_the_code_or_the_library_changes(tmp_path, monkeypatch):
    path = tmp_path / "gan.ipynb"
    first = run_notebooks.with_state(notebooks.notebook("gan"))
    for number, cell in enumerate(cells(first, "code"), 1):
        cell.execution_count, cell.outputs = number, [nbformat.v4.new_output("stream", text=f"{number}")]

    def recalled():
        made = run_notebooks.with_state(notebooks.notebook("gan"))
        return made if run_notebooks.recall(path, made) else None

    assert recalled() is None
    path.write_text(nbformat.writes(first), encoding="utf-8")
    assert recalled() == first
    text = notebooks.chapter("gan")
    monkeypatch.setattr(notebooks, "chapter", lambda name: text.replace("A player", "The player"))
    found = recalled()
    assert cells(found, "code") == cells(first, "code") and found != first
    with monkeypatch.context() as changed:
        changed.setattr(run_notebooks, "state_of_library", lambda: "another")
        assert recalled() is None
    monkeypatch.setattr(notebooks, "chapter", lambda name: text.replace("epochs = 20", "epochs = 21"))
    assert recalled() is None


def planted(*code):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "limit", "budget", "message"),
    [
        ("print(1)\n1 / 0", 60, 60, r"(?s)^wrong: a cell raised an exception.*ZeroDivisionError"),
        ("while True: pass", 8, 60, r"^wrong: not finished within its limit of 8 s"),
        ("while True: pass", 60, 8, r"^wrong: not finished within the budget of all notebooks"),
    ],
)
def test_cell_that_raises_or_takes_too_long_is_an_error(code, limit, budget, message):
    pytest.importorskip("nbclient", reason='nbclient is not installed: pip install -e ".[test]"')
    made = {"wrong": planted(code)}
    # In a thread, because the browser of the site's tests leaves a running event loop in this one.
    with ThreadPoolExecutor(1) as thread, pytest.raises(run_notebooks.NotebookError, match=message):
        run = run_notebooks.run_all(made, lambda *_: None, limit, budget)
        thread.submit(asyncio.run, run).result()


def test_wrong_outputs_are_found():
    """The outputs below are right, until one is changed."""
    def output(*lines):
        return {"output_type": "stream", "name": "stdout", "text": [f"{line}\n" for line in lines]}

    chapter = Chapter("planted")
    table = "| epoch | 1 | 5 | 20 |\n|---|---|---|---|\n| loss | 2.0 | 1.0 | 0.5 |\n"
    chapter.__dict__["text"] = f"## The training curve to expect\n\n```python\nfit()\n```\n\n{table}"
    figure = {"output_type": "execute_result", "data": {"image/png": ""}}

    def notebook(number="0.26", curve="2.01, 1, 0.5", more=(), count=1, picture=(figure,)):
        code = {"cell_type": "code", "execution_count": 2, "source": ""}
        first = {"source": "print(a)    # 0.25", "outputs": [output(number), *more], "execution_count": count}
        second = {"outputs": [output("epochs", f"loss: {curve}"), *picture]}
        return {"cells": [code | first, code | second]}

    assert complaints(notebook(), chapter) == []
    game = Chapter("gan")
    game.__dict__["text"] = chapter.text
    assert complaints(notebook(curve="2.0, 1, 0.6"), game) == []
    assert len(complaints(notebook(curve="2.3, 1, 0.5"), game)) == 1
    for changes, message in (
        ({"number": "0.27"}, "prints 0.27, the chapter has 0.25"),
        ({"curve": "2.0, 1, 0.6"}, "the curve loss has 2.0, 1, 0.6"),
        ({"more": ({"output_type": "stream", "name": "stderr"},)}, "an output of the kind stderr"),
        ({"more": ({"output_type": "error"},)}, "an output of the kind error"),
        ({"more": (output("2"),)}, "2 lines in place of 1"),
        ({"count": 3}, "not run from the first"),
        ({"picture": ()}, "no figure"),
    ):
        (found,) = complaints(notebook(**changes), chapter)
        assert message in found
