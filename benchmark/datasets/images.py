"""Image files as everything here reads them, and the published input pipeline.

The pipeline is PIL's antialiased bilinear resize to a square, the aspect not kept. Pixels are taken as they are
stored: an EXIF tag turns no image, in training, scoring and prediction alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.tiling import Box
from cocoad.base.errors import InputError
from cocoad.base.images import open_image

PIPELINE_VERSION = 3  # raised whenever the pixels of an image or a mask change: caches and scores hang on it
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
WITHOUT_WHITE = {"F": "floats", "I": "32-bit integers"}  # modes in which no number is known to be white
BITS_PER_SAMPLE = 258  # a tag of TIFF


def read_image(path: Path, bits: int | None = None) -> Image.Image:
    """Return an image file as RGB; raise InputError naming a file that cannot be read. ``bits`` as in `as_rgb`."""
    with open_image(path) as image:
        return as_rgb(image, bits)


def load_pixels(
    path: Path, size: int, bits: int | None = None, boxes: Sequence[Box | None] = (None,)
) -> npt.NDArray[np.uint8]:
    """Return an image, or parts of it, as uint8 RGB (n, size, size, 3), one for each box; None: all of it.

    Raises:
        InputError: it cannot be read; the error names it.
    """
    return resized_parts(read_image(path, bits), size, boxes)


def resized_parts(image: Image.Image, size: int, boxes: Sequence[Box | None]) -> npt.NDArray[np.uint8]:
    """Return parts of an RGB image as uint8 (n, size, size, 3), one for each box; None: all of it."""
    return np.stack([resized(image if box is None else image.crop(box), size) for box in boxes])


def as_rgb(image: Image.Image, bits: int | None = None) -> Image.Image:
    """Return an image as RGB, of more than 8 bits the upper 8; raise ValueError where white is unknown.

    ``bits`` is how many of a gray image's bits are used, where its file has room for more: 2ᵇⁱᵗˢ − 1 is white,
    and so is what lies above it.
    """
    if of_file := deep_bits(image):
        used = min(of_file, bits or of_file)
        pixels = np.minimum(np.asarray(image), (1 << used) - 1) >> (used - 8)
        return Image.fromarray(pixels.astype(np.uint8)).convert("RGB")
    check_mode(image)
    if image.mode == "RGB":  # which `convert` would copy
        image.load()
        return image
    return image.convert("RGB")


def check_mode(image: Image.Image) -> None:
    """Raise ValueError if the image's numbers have no known white, which its header tells."""
    if image.mode in WITHOUT_WHITE and not deep_bits(image):
        raise ValueError(f"its pixels are {WITHOUT_WHITE[image.mode]}: save it with 8 or 16 bits")


def resized(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Return an RGB image as uint8 (size, size, 3)."""
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR))


def deep_bits(image: Image.Image) -> int:
    """Return the bits of a gray image that has more than 8, by its header, else 0."""
    older = image.mode == "I" and image.format == "PNG"  # Pillow 10 opens a PNG of 16 bits so
    if not (older or image.mode.startswith("I;16")):
        return 0
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]  # a TIFF may have 12
    return bits if isinstance(bits, int) and 8 < bits <= 16 else 16


def largest_deep_value(path: Path) -> int:
    """Return the largest number of a gray image of more than 8 bits; 0 of any other, and of one that is damaged."""
    try:
        with open_image(path) as image:
            return int(np.asarray(image).max()) if deep_bits(image) else 0
    except InputError:
        return 0
