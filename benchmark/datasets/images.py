"""Image and mask files as everything here reads them, and the published input pipeline.

The pipeline is PIL's antialiased bilinear resize to a square, the aspect not kept. Pixels are taken as they are
stored: an EXIF tag turns no image, in training, scoring and prediction alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.base.images import open_image

PIPELINE_VERSION = 2  # raised whenever the pixels of an image or a mask change: caches and scores hang on it
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
HALF = 127  # a mask's grey values above it are anomalous
WITHOUT_WHITE = {"F": "floats", "I": "32-bit integers"}  # modes in which no number is known to be white
BITS_PER_SAMPLE = 258  # a tag of TIFF


def read_image(path: Path) -> Image.Image:
    """Return an image file as RGB; raise InputError naming a file that cannot be read."""
    with open_image(path) as image:
        return as_rgb(image)


def load_image(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 RGB (size, size, 3); raise InputError naming a file that cannot be read."""
    return resized(read_image(path), size)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB, of more than 8 bits the upper 8; raise ValueError where white is unknown."""
    if bits := _deep(image):
        return Image.fromarray((np.asarray(image) >> (bits - 8)).astype(np.uint8)).convert("RGB")
    check_mode(image)
    return image.convert("RGB")


def check_mode(image: Image.Image) -> None:
    """Raise ValueError if the image's numbers have no known white, which its header tells."""
    if image.mode in WITHOUT_WHITE and not _deep(image):
        raise ValueError(f"its pixels are {WITHOUT_WHITE[image.mode]}: save it with 8 or 16 bits")


def resized(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Return an RGB image as uint8 (size, size, 3)."""
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR))


def load_mask(path: Path | None, size: int, threshold: int | None = None) -> npt.NDArray[np.bool_]:
    """Return a mask as bool (size, size): :func:`read_mask` resized bilinearly, then > 0.5; None is all normal."""
    if path is None:
        return np.zeros((size, size), np.bool_)
    mask = read_mask(path, threshold).resize((size, size), Image.Resampling.BILINEAR)
    anomalous: npt.NDArray[np.bool_] = np.array(mask) > HALF
    return anomalous


def read_mask(path: Path, threshold: int | None = None) -> Image.Image:
    """Return a mask as grey; with a ``threshold`` the file holds label ids, and those above it become 255.

    Raises:
        InputError: it cannot be read, or has values but none that counts, such as 0 and 1.
    """
    with open_image(path) as image:
        mask = image.convert("L") if threshold is None else _binary(image, threshold)
    if 0 < (largest := np.asarray(mask).max()) <= HALF:
        raise InputError(
            f"{path}: this mask marks nothing: its largest value is {largest}, and only values above {HALF} are "
            "anomalous: save it with 0 and 255"
        )
    return mask


def _binary(image: Image.Image, threshold: int) -> Image.Image:
    # the ids of a palette image are its indices: as grey they would be its colours' brightness
    labels = np.asarray(image if len(image.getbands()) == 1 else image.convert("L"))
    return Image.fromarray(np.where(labels > threshold, 255, 0).astype(np.uint8))


def _deep(image: Image.Image) -> int:
    """Return the bits of a grey image that has more than 8, else 0."""
    older = image.mode == "I" and image.format == "PNG"  # Pillow 10 opens a PNG of 16 bits so
    if not (older or image.mode.startswith("I;16")):
        return 0
    return int(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0])  # a TIFF may have 12
