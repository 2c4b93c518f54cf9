"""Every page of the built site, opened in headless Chromium at 360 pixels, in light and in dark colours.

The tests need the site (make site), Chromium and playwright, and are skipped without them. CI runs them as
`make site-test`.
"""

import json

import pytest

from website import notebooks

from .browser import chromium
from .every_page import visit

pytestmark = pytest.mark.slow

KINDS = {
    "console": "messages of errors and warnings in the console",
    "resources": "resources that cannot be loaded",
    "network": "requests to the network",
    "formulas": "formulas that KaTeX does not render",
    "wide": "elements that are wider than the screen",
    "contrast": "text with a contrast below AA",
    "images": "images without a text alternative",
    "names": "controls, pages or languages without a name",
    "ids": "identifiers that a page has twice",
}


@pytest.mark.parametrize("kind", KINDS)
def test_pages_have_no(findings, kind):
    found = findings.problems.get(kind, [])
    assert not found, f"{len(found)} {KINDS[kind]}:\n" + "\n".join(found[:40])


def test_links_and_anchors_resolve(site, findings):
    broken = findings.broken_links(site)
    assert not broken, "\n".join(broken[:40])
    assert sum(len(links) for links in findings.links.values()) > 10_000


def test_site_has_every_kind_of_page(findings):
    for name in ("index", "docs/vae", "docs/glossary", "api/layers", "literate/VAE", "search",
                 "code/scratchgen/layers/linear.py", "live", "literate",
                 "demos/index", "demos/latent", "notebooks/index"):  # fmt: skip
        assert f"{name}.html" in findings.ids, name


def test_chapters_offer_their_notebooks_with_outputs(site):
    index = (site / "notebooks" / "index.html").read_text(encoding="utf-8")
    for name in notebooks.names():
        page = (site / "docs" / f"{name}.html").read_text(encoding="utf-8")
        assert page.count(f'href="../notebooks/{name}.ipynb"') == index.count(f'href="{name}.ipynb"') == 1
        cells = json.loads((site / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code"), name


def test_site_is_small(site):
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 60e6


PLANTED = """<!doctype html><html lang="en"><title>t</title><body style="background:#fff"><h1>h</h1>
<p style="color:#888">grey</p> <img src="missing.png"> <a href="#nowhere">a</a> <a href="gone.html">b</a>
<p id="x">x</p> <p id="x">y</p> <div style="width:500px; height: 9px"></div> <button></button>
<span class="tex">x</span> <span class="katex-error">bad</span>
<script>console.error("oh"); new Image().src = "http://127.0.0.1:9/none.png"; missing()</script>
</body></html>"""


def test_planted_mistakes_are_found(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "bad.html").write_text(PLANTED, encoding="utf-8")
    found = visit(folder, ["bad.html"], chromium())
    assert set(KINDS) == {kind for kind, texts in found.problems.items() if texts}
    assert any("missing is not defined" in text for text in found.problems["console"])
    assert len(found.problems["contrast"]) == 2 and len(found.problems["formulas"]) == 2
    assert len(found.broken_links(folder)) == 2
