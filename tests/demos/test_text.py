"""What the demo of the character model says, on less text: its table, its verdict, its picture."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DEMOS = Path(__file__).resolve().parents[2] / "demos"


@pytest.mark.slow
def test_demo_characters_measures_both_models_on_the_same_text(tmp_path, capsys):
    main = runpy.run_path(str(DEMOS / "50_characters.py"))["main"]
    main(tmp_path, epochs=8, characters=20_000, written=100)
    assert [path.name for path in tmp_path.iterdir()] == ["characters.png"]
    with Image.open(tmp_path / "characters.png") as image:
        assert image.width == 1200 and 500 <= image.height <= 1300
        levels = np.asarray(image.convert("L"))
    assert np.ptp(levels) > 200 and 0.02 < (levels < 250).mean() < 0.9

    out = capsys.readouterr().out
    rows = re.findall(r"^(\S.*?) {2,}([\d.]+) +([\d.]+) +([\d.]+)$", out, re.MULTILINE)
    nats = {name: float(values[0]) for name, *values in rows}
    for _, score, perplexity, bits in rows:
        np.testing.assert_allclose(float(perplexity), np.exp(float(score)), rtol=1e-3)
        np.testing.assert_allclose(float(bits), float(score) / np.log(2), atol=2e-3)
    (tuned,) = (name for name in nats if name.endswith("tuned"))
    # The tuned model has the widest choice, so it is the best of the counted ones; all beat the alphabet.
    assert nats["all 67 characters alike"] == pytest.approx(np.log(67), abs=1e-4)
    assert nats["n = 1"] > nats["n = 2"] > nats["n = 3"] > nats[tuned]
    assert nats["attention"] < nats["n = 1"] - 0.3
    # The logarithm is concave, so the mean of two probabilities beats the mean of their scores.
    assert nats["mean of both probabilities"] < (nats["attention"] + nats[tuned]) / 2 - 0.01

    gain = float(re.search(r"tuned n-gram: by ([+-][\d.]+) nats", out).group(1))
    assert gain == pytest.approx(nats[tuned] - nats["attention"], abs=2e-4)
    assert ("attention beats" in out) == (gain > 0)
    assert float(re.search(r"([\d.]+) times as long, for the same characters", out).group(1)) > 0
