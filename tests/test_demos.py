"""Each demo runs, its picture is one, and its table shows what it claims."""

import ast
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scratchgen.data
from scratchgen.data import load_digits

pytestmark = pytest.mark.slow

DEMOS = Path(__file__).resolve().parent.parent / "demos"


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


@pytest.mark.parametrize("script", sorted(path.name for path in DEMOS.glob("[0-9]*_*.py")))
def test_demo_runs_alone_too(script):
    """It calls its main when it is run itself, and has the line that `scratchgen demo --list` shows."""
    tree = ast.parse((DEMOS / script).read_text(encoding="utf-8"))
    assert (ast.get_docstring(tree) or "").splitlines()[0].endswith(".")
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    last = ast.unparse(tree.body[-1])
    assert last.startswith("if __name__ == '__main__':") and "main(" in last
