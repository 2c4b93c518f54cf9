"""Pictures: the intensities are the 8-bit values of the file divided by 255, or the picture is refused."""

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import read_image

GREY = (0.299, 0.587, 0.114)


@pytest.fixture
def save(tmp_path):
    """Return a function that writes a picture and returns its path."""

    def write(pixels, mode=None, name="a.png", **options):
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        (picture.convert(mode) if mode else picture).save(tmp_path / name, **options)
        return tmp_path / name

    return write


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_grey_and_rgb_are_read_as_they_are(save, pixels):
    rgb = read_image(save(pixels))
    assert rgb.dtype == np.float32 and rgb.shape == (4, 6, 3)
    assert np.array_equal(rgb, pixels / np.float32(255))
    grey = read_image(save(pixels[..., 0]))
    assert grey.shape == (4, 6, 1) and np.array_equal(grey[..., 0], pixels[..., 0] / np.float32(255))


def test_colour_is_converted_if_it_is_asked_for(save, pixels):
    grey = read_image(save(pixels), "grey")
    assert grey.shape == (4, 6, 1)
    assert np.abs(grey[..., 0] - pixels @ GREY / 255).max() < 1 / 255
    rgb = read_image(save(pixels[..., 0]), "rgb")
    assert rgb.shape == (4, 6, 3) and np.array_equal(rgb, np.repeat(pixels[..., :1], 3, 2) / np.float32(255))
    with pytest.raises(ValueError, match="read_image expected colour to be one of grey, rgb, got 'red'"):
        read_image(save(pixels), "red")


def test_palette_bits_and_jpeg_are_decoded(save, pixels):
    palette = Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
    assert np.array_equal(read_image(save(palette)), np.asarray(palette.convert("RGB")) / np.float32(255))
    bits = pixels[..., 0] > 127
    assert np.array_equal(read_image(save(bits))[..., 0], bits)
    flat = np.full((16, 16, 3), 100, np.uint8)
    assert np.array_equal(read_image(save(flat, name="a.jpg")), flat / np.float32(255))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_dropped_if_all_pixels_are_opaque(save, pixels, mode):
    picture = Image.fromarray(pixels).convert(mode)
    opaque = read_image(save(picture))
    expected = np.asarray(picture)[..., :-1]
    assert opaque.shape == expected.shape and np.array_equal(opaque, expected / np.float32(255))
    picture.putpixel((0, 0), (0,) * len(mode))
    with pytest.raises(ValueError, match="a.png: expected opaque pixels, got transparent ones"):
        read_image(save(picture))


def test_transparent_colour_is_refused(save, pixels):
    with pytest.raises(ValueError, match="expected opaque pixels"):
        read_image(save(pixels, transparency=tuple(map(int, pixels[0, 0]))))
    palette = Image.fromarray(pixels).convert("P")
    with pytest.raises(ValueError, match="expected opaque pixels"):
        read_image(save(palette, transparency=palette.getpixel((0, 0))))


def test_exif_orientation_is_applied(save, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6            # to be rotated clockwise by 90 degrees
    turned = read_image(save(pixels, exif=exif))
    assert np.array_equal(turned, np.rot90(pixels, -1) / np.float32(255))


@pytest.mark.parametrize("depth", [np.uint16, np.int32])
def test_16_bits_are_refused(save, depth):
    picture = Image.fromarray(np.full((3, 3), 40_000, depth))
    with pytest.raises(ValueError, match="expected at most 8 bits per channel, got 16"):
        read_image(save(picture.convert("I;16")))


def test_other_kinds_are_refused(save, pixels, tmp_path):
    with pytest.raises(ValueError, match="expected grey or RGB, got mode CMYK"):
        read_image(save(pixels, "CMYK", name="a.jpg"))
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    with pytest.raises(ValueError, match="expected one picture, got an animation"):
        read_image(save(frames[0], save_all=True, append_images=frames[1:]))
    with pytest.raises(ValueError, match="expected a complete PNG or JPEG picture"):
        read_image(save(pixels, name="a.gif"))


def test_number_of_pixels_is_limited_before_they_are_decoded(save, pixels):
    path = save(pixels)
    assert read_image(path, max_pixels=24).shape == (4, 6, 3)
    with pytest.raises(ValueError, match="expected at most 23 pixels, got 4 x 6; if you trust"):
        read_image(path, max_pixels=23)


def test_truncated_pictures_are_refused_even_if_pillow_accepts_them(save, pixels, monkeypatch):
    for name in ("a.png", "a.jpg"):
        path = save(np.repeat(np.repeat(pixels, 16, 0), 16, 1), name=name)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(ValueError, match="expected a complete PNG or JPEG picture"):
            read_image(path)
