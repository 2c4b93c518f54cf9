"""Studies on other images in the place of MNIST: which images, and the names of the files of results."""

import numpy as np
import pytest

from scratchgen.studies.compare.study import SECONDS
from scratchgen.studies.compare.study import file_name as of_compare
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.study import _prepare
from scratchgen.studies.ood.study import file_name as of_ood
from scratchgen.studies.own_digits import other_digits, suffix


def test_results_of_other_images_have_names_of_their_own():
    assert suffix("") == "" and suffix("/a/Fashion MNIST.npz") == "-fashion-mnist"
    assert of_compare(SECONDS, False, "fashion-mnist") == "compare-fashion-mnist"
    assert of_compare(5, True, "a.npz") == "compare-full-a-5-seconds"
    assert of_ood(Plan(data="a.npz")) == "ood-a" and of_ood(Plan(seeds=1)) == "ood-part"


def test_other_images_take_the_place_of_mnist(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.full((70, 28, 28), 9, np.uint8), y=np.arange(70) % 10)
    assert len(other_digits(str(path)).x_train) == 60
    digits, _, store = _prepare(Plan(data=str(path)), tmp_path / "runs")
    assert digits.which == "a.npz: 60 + 10 images of 28 x 28 x 1" and "embedded-a" in str(store.folder)
    np.savez(path, x=np.full((70, 8, 8), 9, np.uint8), y=np.arange(70) % 10)
    with pytest.raises(ValueError, match="got 8 x 8 x 1; resize them"):
        other_digits(str(path))
