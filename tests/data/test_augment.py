import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.data import Jitter, binarise, dequantise
from scratchgen.data.augment import SHARPNESS, affine_warp


def blob(side, row, column):
    image = np.zeros((side, side))
    image[row, column] = 1
    return image.reshape(1, -1)


def test_jitter_with_zero_deviations_changes_nothing(rng, backend):
    x = rng.uniform(size=(3, 49))
    still = Jitter(turn=0, stretch=0, slant=0, shift=0, side=7)
    np.testing.assert_allclose(still(x, rng=rng), x, atol=1e-12)


def test_affine_warp_shifts_by_whole_pixels(backend):
    images = np.arange(20.0).reshape(1, 4, 5) / 20
    maps = np.array([[1.0, 0, 0, 1, 1, -2]])                    # out[i, j] = image[i + 1, j − 2]
    out = affine_warp(images, maps, SHARPNESS)
    expected = np.zeros_like(images)
    expected[0, :3, 2:] = images[0, 1:, :3]
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_affine_warp_interpolates_between_pixels(backend):
    images = np.array([[[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]])
    out = affine_warp(images, np.array([[1.0, 0, 0, 1, 0.25, 0]]), SHARPNESS)
    a = -0.75
    near, far = ((a + 2) * 0.25 - (a + 3)) * 0.25**2 + 1, ((a + 2) * 0.75 - (a + 3)) * 0.75**2 + 1
    np.testing.assert_allclose(out[0, :, 1], [far, near, 0], atol=1e-12)  # the last value is clipped to 0


def test_affine_warp_of_a_flat_patch_is_flat(backend, rng):
    """The sixteen weights sum to one at every position between the pixels."""
    images = np.full((1, 9, 9), 0.4)
    maps = np.array([[1.0, 0.1, -0.1, 0.9, *rng.uniform(-0.5, 0.5, 2)]])
    out = affine_warp(images, maps, SHARPNESS)
    np.testing.assert_allclose(out[0, 3:6, 3:6], 0.4, atol=1e-12)


def test_jitter_keeps_the_given_fraction_of_images(rng):
    x = np.repeat(blob(7, 3, 3), 4000, axis=0)
    same = (Jitter(keep=0.3, side=7)(x, rng=rng) == x).all(axis=1).mean()
    assert abs(same - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 4000)


def test_binarise_uses_the_intensity_as_probability(rng):
    x = np.repeat([[0.0, 0.2, 0.7, 1.0]], 20_000, axis=0)
    drawn = binarise(x, rng=rng)
    assert set(np.unique(drawn)) == {0, 1} and drawn.dtype == x.dtype
    np.testing.assert_allclose(drawn.mean(axis=0), x[0], atol=5 * 0.5 / np.sqrt(20_000))
    assert drawn[:, 0].max() == 0 and drawn[:, 3].min() == 1


@pytest.mark.parametrize("change", [binarise, Jitter(side=2)])
def test_augmentation_refuses_values_outside_zero_to_one(change, rng):
    with pytest.raises(ValueError, match=r"within \[0, 1\], got 0 to 2"):
        change(np.array([[0.0, 2.0, 0.0, 1.0]]), rng=rng)
    with pytest.raises(TypeError, match="float32 or float64, got dtype uint8"):
        change(np.zeros((1, 4), np.uint8), rng=rng)


def test_affine_warp_quarter_turn_is_exact(backend, rng):
    images = rng.uniform(size=(2, 5, 5))
    out = affine_warp(images, np.array([[0.0, -1, 1, 0, 0, 0]] * 2), SHARPNESS)
    np.testing.assert_allclose(out, np.rot90(images, k=-1, axes=(1, 2)), atol=1e-12)


def test_affine_warp_reference_and_jit_agree(rng):
    images = rng.uniform(size=(6, 9, 11)).astype(np.float32)
    maps = np.tile(np.array([1, 0, 0, 1, 0, 0], np.float32), (6, 1))
    maps += rng.normal(0, 0.3, size=maps.shape).astype(np.float32)
    results = []
    for name in kernels.BACKENDS:
        with kernels.use(name):
            results.append(affine_warp(images, maps, SHARPNESS))
    np.testing.assert_allclose(results[0], results[1], atol=2e-5)


def test_jitter_shift_has_the_given_standard_deviation(rng):
    """The centre of mass of a blob moves with mean 0 and the given standard deviation."""
    side, n = 21, 4000
    x = np.repeat(blob(side, 10, 10), n, axis=0)
    out = Jitter(turn=0, stretch=0, slant=0, shift=1.5, keep=0, side=side)(x, rng=rng).reshape(n, side, side)
    rows = (out.sum(axis=2) @ np.arange(side)) / out.sum(axis=(1, 2)) - 10
    assert abs(rows.mean()) < 5 * 1.5 / np.sqrt(n)
    assert abs(rows.std() / 1.5 - 1) < 5 / np.sqrt(2 * n)


def test_jitter_depends_only_on_rng():
    x = np.random.default_rng(1).uniform(size=(3, 784))
    first, again, other = (Jitter()(x, rng=np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_jitter_refuses_a_wrong_width(rng):
    with pytest.raises(ValueError, match=r"rows of 784 pixels, got shape \(2, 49\)"):
        Jitter()(np.zeros((2, 49)), rng=rng)


def test_dequantise_spreads_each_level_over_its_own_interval(rng):
    """(DEQ.1): level k of 4 is spread uniformly over [k, k + 1) / 4, and rounding down gives it back."""
    levels = rng.integers(0, 4, size=(2000, 3))
    for dtype in (np.float32, np.float64):
        drawn = dequantise((levels / 3).astype(dtype), rng=rng, levels=4)
        assert drawn.dtype == dtype
        within = 4 * drawn - levels
        assert within.min() > -1e-6 and within.max() < 1 + 1e-6
        assert abs(within.mean() - 0.5) < 5 / np.sqrt(12 * within.size)
        assert abs(within.var() * 12 - 1) < 0.06


def test_jitter_moves_all_channels_of_an_image_together(rng):
    """Each channel of (N, H, W, C) is what an image of that channel alone becomes, with the same numbers."""
    X = rng.random((5, 8 * 6 * 3))
    moved = Jitter(shape=(8, 6, 3))(X, rng=3).reshape(5, 8, 6, 3)
    for c in range(3):
        plane = X.reshape(5, 8, 6, 3)[..., c].reshape(5, -1)
        alone = Jitter(shape=(8, 6, 1))(plane, rng=np.random.default_rng(3)).reshape(5, 8, 6)
        np.testing.assert_allclose(moved[..., c], alone, rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="Jitter expected rows of 48 pixels, got shape"):
        Jitter(shape=(8, 6, 1))(X, rng=3)
