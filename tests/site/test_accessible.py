"""axe-core finds no violation of WCAG 2.2, levels A and AA, on a page of each kind and on the live pages."""

from __future__ import annotations

import pytest
from helpers.pages import ROOT

from website import live

from .browser import NARROW, WIDE, open_page

AXE = ROOT / "website" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = [
    "index", "docs/vae", "docs/glossary", "literate/VAE", "literate", "demos/index", "demos/one_jump",
    "notebooks/index", "search", "api/models-vae", "live", "code/scratchgen/layers/linear.py",
    *(f"live/{name}" for name in live.names()),
]  # fmt: skip
RUN = """async () => {
  const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const found = await axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] });
  const describe = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}`);
  return found.violations.flatMap(describe);
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --prefix website")
    return AXE.read_text(encoding="utf-8")


def violations(page, axe):
    page.evaluate(f"() => {{ {axe} }}")
    return page.evaluate(RUN)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "dark"), [(WIDE, False), (NARROW, True)], ids=["wide-light", "narrow-dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(browser, site, axe, name, size, dark):
    path = site / f"{name}.html"
    if name.startswith("live/") and not path.exists():
        pytest.skip("the site was built without its live pages")
    with open_page(browser, path, size, dark=dark, reduced_motion="reduce") as page:
        found = violations(page.page, axe)
    assert not found, "\n".join(found[:20])


def test_axe_finds_planted_violations(browser, axe, tmp_path):
    path = tmp_path / "bad.html"
    body = '<p style="color:#aaa">grey</p><button></button>'
    path.write_text(f"<!doctype html><html><title>t</title>{body}</html>", encoding="utf-8")
    with open_page(browser, path) as page:
        found = violations(page.page, axe)
    assert {text.partition(":")[0] for text in found} == {"button-name", "color-contrast", "html-has-lang"}
