"""Pages and metadata for strangers: the README on a package index, versions, the workflow, templates."""

import configparser
import re
import runpy

import pytest
import setuptools
from helpers.pages import ROOT, links

import scratchgen

README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "https://example.org/owner/scratchgen"
FENCED = re.compile(r"```.*?```", re.DOTALL)


@pytest.fixture
def metadata(monkeypatch):
    """Run setup.py without building anything; return a function address -> what it passes to setup()."""

    def passed(address):
        found = {}
        monkeypatch.setenv("SCRATCHGEN_URL", address)
        monkeypatch.setattr(setuptools, "setup", lambda **given: found.update(given))
        runpy.run_path(str(ROOT / "setup.py"))
        return found

    return passed


def targets(text):
    """The targets of all links and pictures outside of code."""
    return [*links(text), *re.findall(r'\b(?:src|href)="([^"]+)"', FENCED.sub("", text))]


def is_relative(target):
    return not re.match(r"[a-z]+:", target)


def test_readme_has_relative_links_and_a_picture():
    """Otherwise the tests below could not fail."""
    assert len([t for t in targets(README) if is_relative(t)]) > 20 and '<img src="docs/' in README


def test_links_of_the_readme_are_absolute_on_an_index_if_the_address_is_known(metadata):
    found = metadata(ADDRESS + "/")
    text = found["long_description"]
    assert [t for t in targets(text) if is_relative(t)] == []
    assert len(targets(text)) == len(targets(README))
    assert f'<img src="{ADDRESS}/raw/main/docs/figures/latent.png" width="560" alt="' in text
    assert f"[docs/how-to.md]({ADDRESS}/blob/main/docs/how-to.md)" in text
    assert FENCED.findall(text) == FENCED.findall(README)
    assert found["project_urls"]["Source"] == ADDRESS
    for url in found["project_urls"].values():
        path = url.removeprefix(f"{ADDRESS}/blob/main/")
        assert path == url or (ROOT / path).is_file(), url


def test_links_of_the_readme_are_removed_on_an_index_if_no_address_is_known(metadata):
    found = metadata("")
    text = found["long_description"]
    assert targets(text) == [t for t in targets(README) if not is_relative(t)]
    assert "<img" not in text and "docs/how-to.md has short recipes" in text and not found["project_urls"]
    assert FENCED.findall(text) == FENCED.findall(README)


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_readme_renders_as_on_an_index(metadata, address):
    markdown = pytest.importorskip("readme_renderer.markdown")
    if not markdown.variants:
        pytest.skip("readme_renderer[md] is not installed")
    html = markdown.render(metadata(address)["long_description"])
    assert html.startswith("<h1") and "<table>" in html and ("<img" in html) == bool(address)


def test_setup_cfg_leaves_the_description_to_setup_py():
    """A value in setup.cfg would replace the one with resolved links."""
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg", encoding="utf-8")
    assert not {"long_description", "project_urls", "url"} & set(declared["metadata"])


def test_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r'^version: "(.+)"$', citation, re.MULTILINE) == [scratchgen.__version__]
    newest = next(iter(re.findall(r"^## (\d[\w.]*)", changelog, re.MULTILINE)))
    assert newest == scratchgen.__version__


def test_workflow_covers_the_declared_pythons_and_three_systems():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "setup.cfg").read_text(encoding="utf-8"))
    (tested,) = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    assert re.findall(r"[\d.]+", tested) == declared
    for needed in ("ubuntu-", "macos-", "windows-", "ruff", "mypy", "not slow", "tests/docs", "twine check"):
        assert needed in workflow, needed
    for path in re.findall(r"\btests/[\w/]+(?:\.py)?", workflow):
        assert (ROOT / path).exists(), path


def test_issue_templates_begin_with_a_name_and_a_description():
    templates = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"))
    assert len(templates) >= 3
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert re.match(r"---\nname: .+\nabout: .+\ntitle: \"\"\nlabels: \w+\n---\n\n", text), path.name
