"""Pictures: one PNG or JPEG file as an array of intensities."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from scratchgen.data.untrusted import DamagedFile, open_regular, refusing_damage

if TYPE_CHECKING:
    from PIL import Image

CHANNELS = {"grey": 1, "rgb": 3}
MODES = {"grey": "L", "rgb": "RGB"}     # pillow's names for these
READABLE = ("1", "L", "P", "RGB")       # modes of pictures with up to 8 bits per channel and no alpha channel
WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
GREY = ("1", "L", "LA", "La")
MAX_PIXELS = 8_000_000
MOST_SCANS = 40                         # a progressive JPEG has about 10
START_OF_SCAN = b"\xff\xda"
PNG_DEPTH = 24                          # position of the bits per channel in a PNG file


def read_image(
    path: str | os.PathLike[str], colour: str | None = None, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read a PNG or JPEG file into intensities from 0 (black) to 1, float32, (H, W, 1) or (H, W, 3).

    colour     : "grey" for one channel, "rgb" for three. By default, grey files give one channel, and others
                 three. Colours are converted to grey with the weights 0.299, 0.587 and 0.114 (ITU-R 601)
    max_pixels : the largest height times width

    The intensity of a pixel is its 8-bit value divided by 255. Palettes are replaced by their colours.
    Photographs are rotated according to their EXIF orientation. Colour profiles and gamma are ignored.
    Transparency is accepted only if every pixel is opaque.

    Raises ValueError, with the name of the file, for another format, a damaged or truncated file (including a
    PNG file with wrong checksums), transparent pixels, 16 bits per channel, CMYK, animations, and more than
    max_pixels. Raises OSError if the file cannot be read.
    """
    if colour is not None and colour not in CHANNELS:
        raise ValueError(f"read_image expected colour to be one of {', '.join(CHANNELS)}, got {colour!r}")
    pixels = np.asarray(_open(path, colour, max_pixels))
    out = np.divide(pixels, 255, dtype=np.float32)
    return out[:, :, None] if out.ndim == 2 else out


def read_pixels(
    path: str | os.PathLike[str], colour: str, size: tuple[int, int] | None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read a picture like read_image, but into 8-bit pixels (H, W, C).

    size : (H, W) to which the picture is resized, or None

    To shrink a picture, each new pixel is the average of the area that it covers. To enlarge it, pixels are
    interpolated.
    """
    picture = _open(path, colour, max_pixels)
    if size is not None and picture.size != size[::-1]:
        picture = picture.resize(size[::-1], resample=2)       # Image.Resampling.BILINEAR
    pixels = np.asarray(picture)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize images (N, H, W, C) of intensities to (N, *size, C), in the way of read_pixels."""
    from PIL import Image

    if images.shape[1:3] == size:
        return images
    out = np.empty((len(images), *size, images.shape[3]), np.float32)
    for image, new in zip(images, out, strict=True):
        for channel in range(images.shape[3]):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
            new[..., channel] = np.asarray(plane.resize(size[::-1], resample=2))
    return np.clip(out, 0, 1, out=out)


def _open(path: str | os.PathLike[str], colour: str | None, max_pixels: int) -> Image.Image:
    """Return the decoded picture in mode "L" or "RGB"."""
    from PIL import (  # imported here because most programs read no pictures
        Image,
        ImageOps,
        UnidentifiedImageError,
    )

    name = os.fsdecode(path)
    with open_regular(path) as file, refusing_damage(name, "a complete PNG or JPEG picture"):
        try:
            recognised = Image.open(file, formats=("PNG", "JPEG"))
        except UnidentifiedImageError:      # its message describes the file object
            raise ValueError("it does not begin as one, or its header is damaged") from None
        with recognised as picture:
            _check_header(name, picture, file, max_pixels)
            picture.verify()            # the checksums of a PNG; a verified object cannot be decoded
        file.seek(0)
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            picture.load()
            turned = ImageOps.exif_transpose(picture)
            return _without_alpha(name, turned, colour)


def _check_header(name: str, picture: Image.Image, file: BinaryIO, max_pixels: int) -> None:
    """Raise DamagedFile for a picture that is too large or has pixels of an unsupported kind."""
    width, height = picture.size
    if width * height > max_pixels:
        raise DamagedFile(
            f"{name}: expected at most {max_pixels} pixels, got {height} x {width}; if you trust the file, "
            "pass a larger max_pixels"
        )
    file.seek(0)
    data = file.read()
    if picture.format == "PNG":
        if getattr(picture, "is_animated", False):
            raise DamagedFile(f"{name}: expected one picture, got an animation")
        if data[PNG_DEPTH] == 16:
            raise DamagedFile(f"{name}: expected at most 8 bits per channel, got 16; convert the file first")
    elif data.count(START_OF_SCAN) > MOST_SCANS:
        raise DamagedFile(f"{name}: expected at most {MOST_SCANS} scans, got {data.count(START_OF_SCAN)}")
    if picture.mode not in READABLE + WITH_ALPHA:
        raise DamagedFile(f"{name}: expected grey or RGB, got mode {picture.mode}; convert the file first")


def _without_alpha(name: str, picture: Image.Image, colour: str | None) -> Image.Image:
    """Convert to grey or RGB; raise DamagedFile if a pixel is transparent."""
    if colour is None:
        colour = "grey" if picture.mode in GREY else "rgb"
    if picture.mode in WITH_ALPHA or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        if np.asarray(picture.getchannel("A")).min() < 255:
            raise DamagedFile(
                f"{name}: expected opaque pixels, got transparent ones; put the picture on a background first"
            )
    return picture.convert(MODES[colour])
