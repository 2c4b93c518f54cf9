"""What a reader does on the site: search, change colours, follow an equation to its line of code and back."""

import http.server
import threading
from functools import partial

import pytest

pytestmark = pytest.mark.slow


def test_equation_leads_to_its_line_and_its_test_and_back(tab, site):
    tab.goto(f"file://{site}/docs/layers.html#eq-BN.6")
    equation = tab.locator('[id="eq-BN.6"]')
    links = equation.locator(".about a")
    assert [links.nth(n).text_content() for n in range(3)] == ["(BN.6)", "code", "test"]
    links.nth(1).click()
    line = tab.locator(":target", has_text="dxhat = dout * weight")
    line.locator("a", has_text="BN.6").click()
    tab.wait_for_url("**/docs/layers.html#eq-BN.6")
    tab.locator('[id="eq-BN.6"] .about a', has_text="test").click()
    tab.wait_for_url("**/code/tests/**")
    tab.locator(":target").wait_for()


def marked(tab, kind):
    """The numbers of the equations, or of the lines, that are marked."""
    found = f"[...document.querySelectorAll('.{kind}.active')]"
    return tab.evaluate(found + ".map(e => e.dataset.numbers || e.dataset.number)")


def test_pair_is_marked_by_keyboard_and_pointer(tab, site):
    tab.goto(f"file://{site}/literate/BatchNorm.html")

    tab.locator('[id="eq-BN.8"] .number').focus()
    assert marked(tab, "equation") == ["BN.8"]
    lines = marked(tab, "equation-line")
    assert "BN.8" in lines and all("BN.8" in numbers.split() for numbers in lines)
    tab.keyboard.press("Enter")
    tab.wait_for_url("**#code-BN.8")
    tab.locator('.equation-line[data-numbers="BN.9"]').hover()
    assert marked(tab, "equation") == ["BN.9"]


def test_literate_page_has_two_columns_and_stacks_them_on_a_phone(tab, site):
    tab.goto(f"file://{site}/literate/Linear.html")
    boxes = [tab.locator(f".pair >> nth=0 >> {column}") for column in (".derivation", ".code")]
    left, right = (box.bounding_box() for box in boxes)
    assert left["x"] + left["width"] <= right["x"] and left["y"] == right["y"]
    tab.set_viewport_size({"width": 360, "height": 740})
    left, right = (box.bounding_box() for box in boxes)
    assert left["x"] == right["x"] and left["y"] + left["height"] <= right["y"]


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_search_finds_a_chapter(tab, site, scheme):
    handler = partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"file://{site}" if scheme == "file" else f"http://127.0.0.1:{server.server_port}"
        errors = []
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.goto(f"{root}/search.html?q=reparameterisation")
        result = tab.locator("#search-results li a", has_text="variational autoencoder").first
        result.wait_for()
        server.shutdown()
    assert errors == []


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_colours_follow_the_button(tab, site):
    tab.emulate_media(color_scheme="light")
    tab.goto(f"file://{site}/index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    before = tab.evaluate(background)
    for _ in range(3):
        tab.locator("button.theme-toggle").click()
        if tab.evaluate(background) != before:
            break
    assert tab.evaluate(background) != before


def test_front_figure_stands_still_for_readers_who_prefer_that(tab, site):
    for motion, name in (("reduce", "front.png"), ("no-preference", "front.webp")):
        tab.emulate_media(reduced_motion=motion)
        tab.goto(f"file://{site}/index.html")
        shown = tab.evaluate("document.getElementById('front-figure').currentSrc")
        assert shown.endswith(name)
        assert tab.locator("#play-again").is_visible() == (motion == "no-preference")


def test_terms_lead_to_the_glossary_once_per_chapter(tab, site):
    tab.goto(f"file://{site}/docs/vae.html")
    targets = tab.evaluate("[...document.querySelectorAll('a.term')].map(a => a.hash)")
    assert len(targets) > 10 and len(set(targets)) == len(targets)
    tab.locator("a.term").first.click()
    tab.wait_for_url("**/docs/glossary.html#*")
    tab.locator(":target").wait_for()


def live_site(site):
    if not (site / "live" / "latent.html").exists():
        pytest.skip("the site was built without its live pages")
    return f"file://{site}"


PIXELS = "document.getElementById('plane-picture').toDataURL()"


def test_front_page_leads_to_a_moving_decoder_in_two_clicks(tab, site):
    tab.goto(f"{live_site(site)}/index.html")
    tab.locator(".doors a", has_text="Look").click()
    tab.locator("article a[href='live/latent.html']").click()
    tab.wait_for_url("**/live/latent.html")
    tab.wait_for_function("document.getElementById('plane-text').textContent.startsWith('Code (')")
    before = tab.evaluate(PIXELS)
    for _ in range(3):
        tab.locator("#plane").press("Shift+ArrowLeft")
    tab.wait_for_function(f"before => {PIXELS} !== before", arg=before)


CHAPTERS = {
    "autoencoder": ["latent", "tug-of-war"], "vae": ["latent", "tug-of-war"], "gan": ["gan-game"],
    "backprop": ["backprop"], "diffusion": ["diffusion"], "gradcheck": ["python"],
}  # fmt: skip


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_leads_to_its_live_pages(tab, site, chapter):
    root = live_site(site)
    for name in CHAPTERS[chapter]:
        tab.goto(f"{root}/docs/{chapter}.html")
        tab.locator(f".live-pages a[href='../live/{name}.html']").click()
        tab.wait_for_url(f"**/live/{name}.html")
        tab.locator(f"main a[href^='../docs/{chapter}.html']").first.wait_for(state="attached")


# What is wider than the paper, or cut at the side of its own box. Paper cannot be scrolled. A picture clips
# the shapes in it; KaTeX draws long roots in this way.
CUT = """() => [...document.querySelectorAll("article *, main *")].filter((e) => {
  if (!e.getClientRects().length || e.closest(".katex-mathml") || e.closest("svg *")) return false;
  const hides = getComputedStyle(e).overflowX !== "visible" && e.clientWidth;
  return e.getBoundingClientRect().right > innerWidth + 1 || (hides && e.scrollWidth > e.clientWidth + 1);
}).map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`)"""
NAVIGATION = ".bar, .sidebar-drawer, .toc-drawer, .mobile-header, .related-pages, .live-pages, .crumbs"
PAPER = {"width": 673, "height": 1000}      # A4 without its margins of 16 mm, at 96 pixels per inch


@pytest.mark.parametrize("page", ["docs/vae", "docs/discriminative", "docs/layers", "literate/VAE",
                                  "code/scratchgen/layers/linear.py"])  # fmt: skip
def test_printed_page_has_no_navigation_and_nothing_is_cut(tab, site, page):
    tab.set_viewport_size(PAPER)
    tab.emulate_media(color_scheme="light")
    tab.goto(f"file://{site}/{page}.html")
    shown = f"[...document.querySelectorAll('{NAVIGATION}')].filter(e => e.getClientRects().length).length"
    assert tab.evaluate(shown) > 0
    tab.emulate_media(media="print")
    assert tab.evaluate(shown) == 0
    assert tab.evaluate(CUT) == []


def test_search_field_of_the_search_page(tab, site):
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(f"file://{site}/search.html")
    tab.get_by_label("Search for").fill("reparameterisation")
    tab.get_by_label("Search for").press("Enter")
    tab.locator("#search-results li a", has_text="variational autoencoder").first.wait_for()
    assert tab.get_by_label("Search for").input_value() == "reparameterisation"


def test_search_field_has_the_focus(tab, site):
    tab.goto(f"file://{site}/search.html")
    tab.keyboard.type("posterior")
    tab.keyboard.press("Enter")
    tab.locator("#search-results li a").first.wait_for()


@pytest.mark.parametrize("words", ["VAE.4", "(vae.4)"])
def test_search_for_a_number_leads_to_the_equation(tab, site, words):
    tab.goto(f"file://{site}/search.html")
    tab.get_by_label("Search for").fill(words)
    tab.get_by_label("Search for").press("Enter")
    tab.get_by_role("link", name="(VAE.4)", exact=True).click()
    tab.wait_for_url("**/docs/vae.html#eq-VAE.4")
    assert tab.locator("#eq-VAE\\.4").bounding_box()["y"] < tab.viewport_size["height"]


def test_printed_figures_are_not_dimmed(tab, site):
    tab.emulate_media(color_scheme="dark")
    tab.goto(f"file://{site}/docs/vae.html")
    look = "getComputedStyle(document.querySelector('article img')).filter"
    assert "brightness" in tab.evaluate(look)
    tab.emulate_media(color_scheme="dark", media="print")
    assert tab.evaluate(look) == "none"


def test_live_page_leads_to_the_others(tab, site):
    tab.goto(f"file://{site}/live/latent.html")
    tab.get_by_role("link", name="Live pages").click()
    tab.wait_for_url("**/live.html")
    assert tab.locator("article a[href*='live/']").count() >= 5
