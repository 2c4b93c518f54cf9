"""Sets of images: folders and arrays are read into float32 rows in [0, 1], in a fixed order, or refused."""

import logging

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import load_images


@pytest.fixture
def folder(tmp_path):
    """Return a function that fills a folder with pictures: name -> grey level or array."""

    def fill(**pictures):
        for name, level in pictures.items():
            pixels = np.full((4, 3), level, np.uint8) if isinstance(level, int) else level
            path = tmp_path / "set" / name.replace("__", "/").replace("_png", ".png").replace("_jpg", ".JPG")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path / "set"

    return fill


def levels(found):
    return np.rint(255 * found.images[:, 0, 0, 0]).astype(int).tolist()


def test_folder_is_read_in_natural_order(folder):
    found = load_images(folder(a10_png=30, a2_png=20, A1_png=10, b_jpg=40))
    assert levels(found) == [10, 20, 30, 40]
    assert found.x.shape == (4, 12) and found.x.dtype == np.float32
    assert found.shape == (4, 3, 1) and found.y is None and found.names == ()
    assert repr(found) == "Images(4 images of 4 x 3 x 1)"


def test_subfolders_are_classes(folder):
    found = load_images(folder(dog__1_png=1, cat__2_png=2, cat__10_png=3, k10__a_png=4, k9__a_png=5))
    assert found.names == ("cat", "dog", "k9", "k10")
    assert levels(found) == [2, 3, 1, 5, 4] and found.y.tolist() == [0, 0, 1, 2, 3]
    assert found.y.dtype == np.int64


def test_hidden_files_are_ignored_and_other_files_are_reported(folder, caplog):
    path = folder(a_png=1)
    for name in (".DS_Store", ".hidden.png", "notes.txt", "Thumbs.db"):
        (path / name).write_text("no picture")
    with caplog.at_level(logging.WARNING, "scratchgen"):
        assert len(load_images(path).x) == 1
    (message,) = caplog.messages
    assert "skipped 2 files that are not pictures, such as notes.txt" in message


def test_pictures_of_different_sizes_need_a_size(folder):
    path = folder(a_png=100, b_png=np.full((8, 6), 100, np.uint8))
    with pytest.raises(ValueError, match="b.png: expected 4 x 3 pixels, as a.png has, got 8 x 6; pass"):
        load_images(path)
    found = load_images(path, size=(2, 5))
    assert found.images.shape == (2, 2, 5, 1) and np.ptp(found.x) == 0
    for size in ((0, 3), (2,), (2.0, 3)):
        with pytest.raises(ValueError, match="load_images expected size to be"):
            load_images(path, size=size)


def test_colour_is_an_explicit_argument(folder, rng):
    pixels = rng.integers(0, 256, (4, 3, 3), dtype=np.uint8)
    path = folder(a_png=pixels)
    assert np.array_equal(load_images(path, colour="rgb").images[0], pixels / np.float32(255))
    assert load_images(path).shape == (4, 3, 1)
    with pytest.raises(ValueError, match="load_images expected colour to be one of grey, rgb, got 'red'"):
        load_images(path, colour="red")


def test_light_background_is_reported_and_can_be_inverted(folder, caplog):
    paper = np.full((6, 6), 250, np.uint8)
    paper[2:4, 2:4] = 0
    path = folder(a_png=paper)
    with caplog.at_level(logging.WARNING, "scratchgen"):
        light = load_images(path)
    assert "the background is light" in caplog.text and "pass invert=True" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "scratchgen"):
        dark = load_images(path, invert=True)
        load_images(folder(a_png=255 - paper))
    assert not caplog.messages and np.array_equal(dark.x, 1 - light.x)


def test_folders_that_are_unclear_are_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected files named .png, .jpg, .jpeg, found none"):
        load_images(tmp_path / "empty")
    path = folder(a__1_png=1, b_png=2)
    with pytest.raises(ValueError, match="expected pictures or subfolders with pictures, got both"):
        load_images(path)
    (path / "b.png").unlink()
    (path / "a" / "again").symlink_to(path)
    with pytest.raises(ValueError, match="expected pictures only, got the subfolder 'again'"):
        load_images(path)
    with pytest.raises(FileNotFoundError):
        load_images(tmp_path / "missing")


def test_damaged_picture_in_a_folder_is_named(folder):
    path = folder(a_png=1, b_png=2)
    (path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="b.png: expected a complete PNG or JPEG picture"):
        load_images(path)


def test_small_pictures_cannot_fill_the_memory(folder, monkeypatch):
    monkeypatch.setattr("scratchgen.data.untrusted.SMALLEST_LIMIT", 1_000)
    path = folder(**{f"a{i}_png": np.zeros((300, 300), np.uint8) for i in range(3)})
    with pytest.raises(ValueError, match="set: expected at most .* bytes after unpacking"):
        load_images(path)
    assert len(load_images(path, max_bytes=300_000).x) == 3


PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10


@pytest.mark.parametrize(
    "array", [PIXELS, PIXELS.astype(np.int64), PIXELS[..., None], PIXELS / 255, (PIXELS / 255).astype(">f4")]
)
def test_arrays_become_intensities(tmp_path, array):
    np.save(tmp_path / "a", array)
    found = load_images(tmp_path / "a.npy")
    assert found.shape == (3, 4, 1) and found.x.flags.c_contiguous and found.x.dtype == np.float32
    assert np.array_equal(found.x, PIXELS.reshape(2, 12) / np.float32(255))


def test_booleans_are_zeros_and_ones(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS > 100)
    assert np.array_equal(load_images(tmp_path / "a.npy").images[..., 0], PIXELS > 100)


def test_npz_may_have_labels_and_idx_any_name(tmp_path):
    np.savez(tmp_path / "a.data", digits=PIXELS, kinds=np.array([3, 1], np.uint8))
    found = load_images(tmp_path / "a.data.npz")
    assert found.y.tolist() == [3, 1] and found.y.dtype == np.int64 and len(found.x) == 2
    (tmp_path / "b").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + PIXELS.tobytes())
    assert np.array_equal(load_images(tmp_path / "b").x, found.x)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS[0], r"images \(N, H, W\), .* got \(3, 4\)"),
        (PIXELS[:0], r"images .* got \(0, 3, 4\)"),
        (np.stack([PIXELS] * 2, 3), r"images .* got \(2, 3, 4, 2\)"),
        (np.stack([PIXELS] * 3, 3), "1 channels, got 3; pass colour='rgb'"),
        (PIXELS / 200, r"intensities within \[0, 1\], got 0 to 1.15"),
        (np.where(PIXELS > 50, np.nan, 0.0), r"intensities within \[0, 1\], got nan"),
        (PIXELS.astype(int) * 2, "integers from 0 to 255, got 0 to 460"),
        (PIXELS.astype(int) - 1, "integers from 0 to 255, got -1 to 229"),
        ((PIXELS > 50).astype(np.uint8), "integers from 0 to 255, got 0 to 1; store binary images"),
    ],
)
def test_arrays_that_are_not_images_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=f"a.npy: expected {message}"):
        load_images(tmp_path / "a.npy")


def test_npz_that_is_unclear_and_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=PIXELS, b=PIXELS)
    with pytest.raises(ValueError, match="expected one array of images .* got a uint8"):
        load_images(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", a=PIXELS, b=np.arange(3))
    with pytest.raises(ValueError, match="expected 2 labels, one for each example, got 3"):
        load_images(tmp_path / "a.npz")
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ValueError, match="a.txt: expected a folder of pictures, or a file in the format NPY"):
        load_images(tmp_path / "a.txt")
    np.save(tmp_path / "a.npy", PIXELS)
    assert load_images(tmp_path / "a.npy", size=(2, 2)).shape == (2, 2, 1)


def test_integers_of_a_small_range_are_reported(tmp_path, caplog):
    np.save(tmp_path / "a.npy", (PIXELS // 15).astype(np.uint8))
    load_images(tmp_path / "a.npy")
    assert f"the largest integer is {PIXELS.max() // 15}, so after the division" in caplog.text
    caplog.clear()
    np.save(tmp_path / "b.npy", PIXELS)
    load_images(tmp_path / "b.npy")
    assert "the largest integer" not in caplog.text
