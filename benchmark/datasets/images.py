"""The published input pipeline: PIL's antialiased bilinear resize to a square, the aspect not kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cocoad.errors import InputError


def load_image(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 RGB (size, size, 3); raise InputError naming a file that cannot be read."""
    return np.array(_open(path, "RGB", size))


def load_mask(path: Path | None, size: int, threshold: int | None = None) -> npt.NDArray[np.bool_]:
    """Return a mask as bool (size, size): resized bilinearly, then > 0.5; None is all normal.

    With a ``threshold`` the file holds label ids: it becomes 0 and 255 (values above it) before it is resized.
    """
    if path is None:
        return np.zeros((size, size), np.bool_)
    mask: npt.NDArray[np.bool_] = np.array(_open(path, "L", size, threshold)) > 127
    return mask


def _open(path: Path, mode: str, size: int, threshold: int | None = None) -> Image.Image:
    try:
        with Image.open(path) as image:
            pixels = image.convert(mode) if threshold is None else _binary(image, threshold)
            return pixels.resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image ({error})") from None


def _binary(image: Image.Image, threshold: int) -> Image.Image:
    # the ids of a palette image are its indices: as grey they would be its colours' brightness
    labels = np.asarray(image if len(image.getbands()) == 1 else image.convert("L"))
    return Image.fromarray(np.where(labels > threshold, 255, 0).astype(np.uint8))
