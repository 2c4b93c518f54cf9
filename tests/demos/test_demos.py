"""Each demo runs, its picture is one, and its table shows what it claims."""

import ast
import inspect
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgen.data
from scratchgen.data import load_digits

pytestmark = pytest.mark.slow

DEMOS = Path(__file__).resolve().parents[2] / "demos"
SCRIPTS = sorted(path.name for path in DEMOS.glob("[0-9]*_*.py"))


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run one demo on the embedded digits; return the rows of its table, by name, as lists of numbers."""
    monkeypatch.setattr(scratchgen.data, "load_digits", lambda: load_digits("embedded"))

    def run_demo(script: str, picture: str, **budget: int) -> dict[str, list[float]]:
        runpy.run_path(str(DEMOS / script))["main"](tmp_path, **budget)
        assert [path.name for path in tmp_path.iterdir()] == [picture]
        with Image.open(tmp_path / picture) as image:
            assert image.width == 1200 and 600 <= image.height <= 1300
            levels = np.asarray(image.convert("L"))
        assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < 0.9

        table = {}
        for line in capsys.readouterr().out.splitlines():
            found = re.fullmatch(r"(\S.*?)((?:  +-?[\d.,]+%?){2,})", line)
            if found:
                table[found[1]] = [float(word.strip("%").replace(",", "")) for word in found[2].split()]
        return table

    return run_demo


def test_demo_compress_autoencoder_beats_pca_at_each_width(run):
    table = run("01_compress.py", "compress.png", shown=90_000)
    for width in (2, 10, 30):
        ours, pca = table[f"autoencoder, {width}"], table[f"PCA, {width}"]
        assert ours[0] < 0.9 * pca[0]
    assert table["PCA, 30"][0] == pytest.approx(14.15, abs=0.01)


def test_demo_latent_classes_separate_better_than_in_pca(run):
    table = run("02_latent.py", "latent.png")
    assert table["autoencoder"][0] > table["PCA"][0]
    assert table["autoencoder"][1] > table["PCA"][1] + 15


def test_demo_encoder_only_codes_help_where_labels_are_scarce(run):
    table = run("03_encoder_only.py", "encoder_only.png", shown=120_000, updates=800)
    pixels, codes = table["784 pixels"], table["code of 10"]
    assert codes[0] > pixels[0]
    assert min(pixels[3], codes[3]) > 88
    assert 10 * codes[4] < pixels[4]


@pytest.mark.parametrize("script", SCRIPTS)
def test_demo_has_the_line_that_the_list_shows(script):
    tree = ast.parse((DEMOS / script).read_text(encoding="utf-8"))
    assert (ast.get_docstring(tree) or "").splitlines()[0].endswith(".")


@pytest.mark.parametrize("script", SCRIPTS)
def test_demo_as_a_script_makes_the_gallery_and_calls_main_with_it(script, tmp_path, monkeypatch):
    """The script is loaded, and its last block run as in a script of its own, with a main that only notes."""
    monkeypatch.chdir(tmp_path)
    names, calls = runpy.run_path(str(DEMOS / script)), []
    assert inspect.isfunction(names["main"]) and not list(tmp_path.iterdir())
    names |= {"__name__": "__main__", "main": lambda *given: calls.append((*given, Path("gallery").is_dir()))}
    last = ast.parse((DEMOS / script).read_text(encoding="utf-8")).body[-1]
    exec(compile(ast.Module([last], []), script, "exec"), names)
    assert calls == [(Path("gallery"), True)]
