"""How the site finds equations, literate pairs, and the parts of docstrings. No browser is needed."""

import re

import pytest
from helpers.pages import ROOT
from test_equations import collect

from scratchgen.layers import Layer
from website.literate import all_pages, index, units_of
from website.places import find_places, numbers_in

COMMENT = "# (BN.1) to (BN.3), (LN.7, BN.9), but not f(X.1), BN.1 or (BN.1x)"
PLACES = find_places(ROOT)


class Builder:
    """As much of Sphinx's builder as the functions need."""

    def get_relative_uri(self, page, target):
        return "../" * page.count("/") + target + ".html"


def test_places_are_those_that_the_test_of_equations_finds():
    for number, seen in collect(ROOT).items():
        assert f"{PLACES.chapter[number]}.md" in seen["chapter"]
        assert set(seen["code"]) <= {place.path for place in PLACES.code[number]}
        assert set(seen["test"]) <= {place.path for place in PLACES.tests[number]}


def test_first_place_is_a_readable_line_that_names_the_number():
    for number, places in PLACES.code.items():
        text = (ROOT / places[0].path).read_text(encoding="utf-8").splitlines()[places[0].line - 1]
        assert number in numbers_in(text) and not places[0].path.startswith("scratchgen/kernels/")


def test_numbers_of_a_range_and_of_a_group():
    assert numbers_in(COMMENT) == ["BN.1", "BN.3", "LN.7", "BN.9", "BN.2"]


def test_each_layer_and_model_has_a_literate_page():
    names = {page.name for page in all_pages()}
    import scratchgen

    for name in (*scratchgen.layers.__all__, "VAE", "GAN", "NICE", "Diffusion", "PixelCNN", "Translator"):
        value = getattr(scratchgen, name)
        if isinstance(value, type) and issubclass(value, Layer):
            assert name in names
    assert all(f'href="literate/{name}.html"' in index() for name in names)


def test_every_equation_of_a_literate_page_has_its_line_of_code():
    for page in all_pages():
        computed = {number for unit in page.units for number in unit.named}
        assert set(page.numbers) <= computed, page.name
    shown = {number for page in all_pages() for number in page.numbers}
    assert len(shown) > 250


TWO_STATEMENTS = """
class A:
    @decorated
    def forward(self, x):
        y = f(      # (ZZ.1) to (ZZ.3)
            x
        )
        # (ZZ.9)
        return y    # (ZZ.4)
"""


def test_lines_of_a_pair_are_those_of_the_statement(tmp_path):
    (tmp_path / "a.py").write_text(TWO_STATEMENTS, encoding="utf-8")
    (unit,) = units_of(str(tmp_path / "a.py"))
    assert (unit.name, unit.first, unit.last) == ("A.forward", 3, 9)
    assert unit.numbers == ((5, 7, ("ZZ.1", "ZZ.3", "ZZ.2")), (8, 8, ("ZZ.9",)), (9, 9, ("ZZ.4",)))


@pytest.fixture(scope="module")
def api():
    pytest.importorskip("sphinx", reason='Sphinx is not installed: pip install -e ".[site]"')
    from website.extensions import api

    return api


DOCSTRING = """Turn x into y_, with 2*x and `x_*`.

(BN.1)   mean = 1/M · Σ x        (C,)
(BN.2)   xc   = x < mean

See docs/layers.md.

    x = f(1)

eps, *rest : a small number, more
    than zero
"""


def test_docstring_becomes_restructuredtext(api):
    text = "\n".join(api.convert(DOCSTRING.splitlines(), "api/layers", Builder()))
    assert r"Turn x into y\_, with 2\*x and ``x_*``." in text
    assert '(<a class="equation-number" href="../docs/layers.html#eq-BN.1">BN.1</a>)   mean' in text
    assert "x &lt; mean" in text and ":doc:`docs/layers.md </docs/layers>`" in text
    arguments = r"\.\. rst-class:: arguments\n\n``eps``, ``\*rest``\n   a small number, more\n   than zero"
    assert re.search(arguments, text)


def test_every_public_name_is_in_the_reference():
    import scratchgen
    from website.reference import pages

    text = "\n".join(page for _, page in pages())
    modules = {*scratchgen._MODULES, "FAMILIES"}
    names = set(scratchgen.__all__) - modules
    missing = [name for name in names if f"scratchgen.{name}\n" not in text]
    assert missing == []


def test_glossary_terms_are_found_as_whole_words(api):
    from website.extensions.prose_links import pattern, terms

    found = [match["term"] for match in pattern().finditer("A latent code, latent codes, unadjoint tests.")]
    assert found == ["latent code", "latent code"]
    assert terms()["adjoint test"] == ("adjoint-test", "A check that needs no step size: for random v and u, "
                                       "⟨jvp(v), u⟩ must equal ⟨v, backward(u)⟩.")  # fmt: skip


LIVE = """<title>Game · scratchgen</title><main><h1>Game</h1><p>One. Two. Three.</p>
<a href="../docs/gan.html#objective">GAN</a> <a href="../docs/gan.html">GAN</a><div hidden>
<a href="../docs/vae.html">VAE</a></div></main><script>'href="../docs/wgan.html"'</script>"""


def test_chapters_get_links_to_the_live_pages_that_lead_to_them(tmp_path):
    from website.stage import stage

    (tmp_path / "game.html").write_text(LIVE, encoding="utf-8")
    stage(ROOT, tmp_path / "source", [tmp_path / "game.html"])
    chapters = (tmp_path / "source" / "docs").glob("*.md")
    staged = {path.stem: path.read_text(encoding="utf-8") for path in chapters}
    linked = [name for name, text in staged.items() if "live-pages" in text]
    assert linked == ["gan"]
    link = '<a class="reference internal" href="../live/game.html">Game</a>'
    added = f'<p class="live-pages"><strong>Try it in the browser:</strong> {link}</p>\n\n'
    assert staged["gan"].replace(added, "") == (ROOT / "docs" / "gan.md").read_text(encoding="utf-8")
    index = (tmp_path / "source" / "live.md").read_text(encoding="utf-8")
    assert "live/game.html" in index and "One. Two.\n" in index


def test_each_chapter_with_a_live_page_is_linked_from_it():
    from website import live
    from website.stage import live_pages_of_chapters

    pages = []
    for name in live.names():
        content = (live.LIVE / name / "page.html").read_text(encoding="utf-8")
        pages.append((name, f"<main>{live.with_links(content, live.CHAPTERS)}</main>"))
    found = {chapter: {name for name, _ in some} for chapter, some in live_pages_of_chapters(pages).items()}
    wanted = {"autoencoder": {"latent", "tug-of-war"}, "vae": {"latent", "tug-of-war"}, "gan": {"gan-game"},
              "backprop": {"backprop"}, "diffusion": {"diffusion"}, "gradcheck": {"python"}}  # fmt: skip
    assert all(names <= found[chapter] for chapter, names in wanted.items())


def test_parameters_of_a_long_signature_are_not_a_list(api):
    from website.extensions.accessible import signature_lines

    lines = "<dl>\n<dd>a: int,</dd>\n<dd>b: int,</dd>\n</dl>"
    a, b = ('<span class="sig-line">a: int,</span>\n', '<span class="sig-line">b: int,</span>\n')
    blocks = f'<span class="sig-lines">{a}{b}</span>'
    terms = "<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl>"
    assert signature_lines(f"f({lines}) {terms}") == f"f({blocks}) {terms}"
