"""The demos of autoencoders on less data: the numbers that they return support their claims."""

import numpy as np
import pytest

from demos.autoencoder import encoder_only

pytestmark = pytest.mark.slow


def test_compress_autoencoder_beats_pca_at_each_width(run_demo):
    table = run_demo("autoencoder.compress", shown=90_000)["table"]
    for width in (2, 10, 30):
        assert table[f"autoencoder, {width}"]["mean"] < 0.9 * table[f"PCA, {width}"]["mean"]
    assert table["PCA, 30"]["mean"] == pytest.approx(14.15, abs=0.01)
    assert table["convolutional, 30"]["mean"] < table["PCA, 30"]["mean"]


def test_latent_classes_separate_better_than_in_pca(run_demo):
    table = run_demo("autoencoder.latent")["table"]
    ours, pca = table["autoencoder"], table["PCA"]
    assert ours["silhouette"] > pca["silhouette"]
    assert ours["10 nearest right"] > pca["10 nearest right"] + 0.15


def test_encoder_only_codes_help_where_labels_are_scarce(run_demo):
    settings = {"shown": 120_000, "updates": 600, "labelled": (100, 6000), "codes": (10,)}
    table = run_demo("autoencoder.encoder_only", **settings)["table"]
    pixels, codes = table["784 pixels"], table["code of 10"]
    assert codes["100 labels"] > pixels["100 labels"]
    assert min(pixels["6,000 labels"], codes["6,000 labels"]) > 0.88
    assert 10 * codes["parameters"] < pixels["parameters"]


def test_encoder_only_labels_are_balanced(rng):
    y = np.repeat(np.arange(10), [3, *[40] * 9])
    counts = np.bincount(y[encoder_only.balanced(y, 93, rng)])
    assert counts[0] == 3 and counts[1:].tolist() == [10] * 9
