"""The steps of docs/add-a-model.md work: its edits are made in a copy, and its commands run there."""

import sys

import pytest
from helpers.pages_run import copy_repository, follow, run

ROUND_TRIP = """
import numpy as np
from scratchgen import SphericalMixture, checkpoint
first, second = SphericalMixture(4, 3, rng=0), SphericalMixture(4, 3, rng=1)
checkpoint.save_model("mixture.safetensors", first)
checkpoint.load_model("mixture.safetensors", second)
x = np.random.default_rng(0).random((5, 4), dtype=np.float32)
assert (first.score_samples(x) == second.score_samples(x)).all()
"""
COMPARISON = """
from scratchgen import load_digits
from scratchgen.studies.compare.study import contenders
from scratchgen.studies.compare.train import train
(contender,) = [c for c in contenders() if c.family == "mixture"]
x = load_digits("embedded").x_train
trained = train(contender, x[:1000], x[1000:1200], 0.5)
kinds = contender.log_prob(trained.model, contender.space.prepare(x[1200:1300]))
assert list(kinds) == ["exact"] and kinds["exact"].shape == (100,)
"""


@pytest.mark.slow
def test_page_adds_a_family(tmp_path):
    """The model is public, checked, saved, trained by the command, shown by a demo, and compared."""
    root = copy_repository(tmp_path)
    printed = follow("add-a-model.md", root)
    checked = printed["scratchgen gradcheck SphericalMixture"].splitlines()
    assert len(checked) > 8 and "failed checks: 0" in checked[-1]
    tests = [text for line, text in printed.items() if line.startswith("pytest")]
    assert len(tests) == 5 and all(" passed" in text for text in tests)
    code = "import scratchgen as s; print('SphericalMixture' in s.__all__, s.models.FAMILIES[-1])"
    assert run([sys.executable, "-c", code], root).split() == ["True", "mixture"]
    assert "SphericalMixture as" in (root / "scratchgen" / "__init__.pyi").read_text(encoding="utf-8")
    run([sys.executable, "-c", ROUND_TRIP], root)
    run([sys.executable, "-c", COMPARISON], root)
    assert (root / "gallery" / "templates.png").is_file()
    assert "nats" in printed["scratchgen train spherical_mixture --epochs 2"]
    assert "mixture" in run([sys.executable, "-m", "scratchgen", "train", "--list"], root)
