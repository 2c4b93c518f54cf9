"""The gallery of the site, without a browser: records, pages, thumbnails and downloads."""

import ast
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.pages import ROOT
from PIL import Image

from scratchgen.cli import demo_record
from scratchgen.cli.demo import load
from website import demo_pages, record_demos

DEMOS, RECORDS = demo_pages.all_demos(), demo_pages.all_records()


def test_every_demo_has_a_page_with_its_claim_and_is_on_the_index():
    pages = demo_pages.pages()
    assert len(pages) == len(DEMOS) + 1 > 40
    for name, demo in DEMOS.items():
        text = pages[f"demos/{name}.md"]
        assert f"# {demo_pages.plain_text(demo.claim)}\n" in text and f"({demo.family}/{name}.py)" in text
        assert f'href="downloads/{name}.ipynb"' in text
        assert "Not yet recorded." not in text
        assert pages["demos/index.md"].count(f'href="{name}.html"') == 1
    assert len(re.findall("^## ", pages["demos/index.md"], re.MULTILINE)) == len(demo_pages.family_titles())


def test_page_of_a_record_has_all_of_it():
    for name, record in RECORDS.items():
        text = demo_pages.page(DEMOS[name], record)
        assert record.printed in text and record.command in text and record.finished in text
        assert f"| time | {record.seconds:.1f} s, " in text and f"numpy {record.versions['numpy']}" in text
        assert ("has changed" in text) == (record.script != demo_pages.digest(DEMOS[name].path))
        changed = demo_pages.page(DEMOS[name], record._replace(script="0"))
        assert "The script has changed since this run." in changed


def test_records_are_of_usual_runs_and_their_figures_are_in_the_repository():
    for name, record in RECORDS.items():
        assert record.is_usual and record.budget is None and record.numbers
        assert len(demo_pages.figures_of(name)) == len(record.figures) >= 1
    stored = list(demo_pages.RECORDED.iterdir())
    named = {figure for record in RECORDS.values() for figure in record.figures}
    assert {path.name for path in stored if path.suffix == ".webp"} <= named
    assert {path.stem for path in stored if path.suffix == ".json"} <= set(DEMOS)
    assert sum(path.stat().st_size for path in stored) < 5e6


def test_every_demo_has_a_record_of_its_present_code():
    """A changed comment or docstring needs no new record, but a changed claim does."""
    old = record_demos.out_of_date(DEMOS)
    command = f"python website/record_demos.py {' '.join(old)}"
    assert not old, f"these demos changed since they were recorded; run {command} and commit website/recorded"


def test_demos_without_a_record_of_their_present_code_are_out_of_date(tmp_path):
    demos = {name: DEMOS[name] for name in ("bayes_bridge", "two_views", "one_jump")}
    current = RECORDS["two_views"]._replace(script=demo_pages.digest(DEMOS["two_views"].path))
    files = {"two_views": current, "one_jump": RECORDS["one_jump"]._replace(script="0")}
    for name, record in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(record._asdict()), encoding="utf-8")
    assert record_demos.out_of_date(demos, tmp_path) == ["bayes_bridge", "one_jump"]
    claimed = current._replace(claim="Another claim.")
    (tmp_path / "two_views.json").write_text(json.dumps(claimed._asdict()), encoding="utf-8")
    assert record_demos.out_of_date(demos, tmp_path) == list(demos)


def test_figures_are_small_copies_unless_the_chapters_have_them(tmp_path):
    figures, kept = tmp_path / "figures", tmp_path / "kept"
    figures.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (100, 1200, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(figures / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.png", compress_level=1)
    assert record_demos.same_picture(tmp_path / "a.png", figures / "a.png")
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert not record_demos.same_picture(tmp_path / "a.png", figures / "a.png")
    assert not record_demos.same_picture(tmp_path / "a.png", figures / "b.png")
    assert record_demos.save_small(tmp_path / "a.png", kept) == "a.webp"
    with Image.open(kept / "a.webp") as small:
        assert small.size == (960, 80)
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert record_demos.save_small(tmp_path / "a.gif", kept) == "a_animation.webp"
    with Image.open(kept / "a_animation.webp") as moving:
        assert moving.n_frames == 3


def test_record_replaces_an_earlier_one_and_its_figures(tmp_path):
    kept, figures = tmp_path / "kept", tmp_path / "figures"
    figures.mkdir()
    demo = DEMOS["bayes_bridge"]
    record_demos.record(demo, kept, figures)
    assert sorted(path.name for path in kept.iterdir()) == ["bayes_bridge.json", "bayes_bridge.webp"]
    demo_record.recorded(demo, load(demo), figures, {}, "")
    record_demos.record(demo, kept, figures)        # the figure is now in the folder of figures too
    assert [path.name for path in kept.iterdir()] == ["bayes_bridge.json"]
    assert record_demos.out_of_date({"bayes_bridge": demo}, kept) == []


def test_demos_are_chosen_by_their_usual_time():
    assert [demo.name for demo in record_demos.chosen(["latent", "one_jump"], 20)] == ["one_jump"]
    assert [demo.name for demo in record_demos.chosen([], None)] == record_demos.out_of_date(DEMOS)


def test_thumbnail_shows_the_upper_part(tmp_path):
    picture = np.full((900, 1200, 3), 255, np.uint8)
    picture[:450] = (200, 0, 0)
    Image.fromarray(picture).save(tmp_path / "a.png")
    with Image.open(io.BytesIO(demo_pages.thumbnail(tmp_path / "a.png"))) as small:
        assert small.size == demo_pages.THUMBNAIL
        levels = np.asarray(small.convert("RGB"))
    assert levels[10, 160, 0] > 150 > levels[10, 160, 1] and levels[-10, 160].min() > 240


@pytest.mark.parametrize("name", DEMOS)
def test_downloaded_script_is_the_demo_with_absolute_imports(name):
    text = demo_pages.script(DEMOS[name])
    body, original = ast.parse(text).body, ast.parse(DEMOS[name].path.read_text("utf-8")).body
    assert ast.get_docstring(ast.parse(text)) == DEMOS[name].docstring
    assert not [node for node in body if isinstance(node, ast.ImportFrom) and node.level]
    code = [ast.dump(node) for node in body if not isinstance(node, ast.ImportFrom)]
    for node in original[1:]:
        if not isinstance(node, ast.ImportFrom):
            assert ast.dump(node) in code


def test_downloads_run_outside_of_the_repository(tmp_path):
    (tmp_path / "a.py").write_text(demo_pages.script(DEMOS["bayes_bridge"]), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    run = subprocess.run(
        [sys.executable, "a.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "gallery" / "bayes_bridge.png").is_file()


def test_notebook_runs_from_its_first_cell_to_its_last(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nbformat", reason='nbformat is not installed: pip install -e ".[site]"')
    pytest.importorskip("IPython", reason="IPython is not installed")
    monkeypatch.chdir(tmp_path)
    text = demo_pages.notebook(DEMOS["bayes_bridge"])
    assert text == demo_pages.notebook(DEMOS["bayes_bridge"])
    first, *cells = json.loads(text)["cells"]
    assert "".join(first["source"]).startswith(f"# {DEMOS['bayes_bridge'].claim}")
    names: dict[str, object] = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
    assert Path("bayes_bridge.png").is_file() and "by Bayes" in capsys.readouterr().out
