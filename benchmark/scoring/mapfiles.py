"""Anomaly maps as files made by anybody's code: reading one without trusting it.

Formats: ``.npy``; ``.npz`` with one array or one named ``map``; one-channel ``.tif``, ``.tiff`` and ``.png``
of 8 or 16 bits (TIFF also float). Sizes are read from headers and checked before anything is allocated.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.runs.arrays import Shape, read_npy, read_npz_member
from benchmark.scoring.matching import Kind
from cocoad.base.console import one_line

MAX_SIDE = 16_384  # pixels
MAX_PIXELS = 64_000_000
GRAY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")

FloatMap = npt.NDArray[np.float32]


class MapError(Exception):
    """A map cannot be used: its kind of problem and why."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind: Kind = kind


def read_map(path: Path) -> FloatMap:
    """Read a map as float32 (H, W), of the size that it has.

    Raises:
        MapError: it cannot be read, is not one channel of a sane size, or holds NaN or infinity.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                array = read_npy(stream, path.stat().st_size, _check)
        elif path.suffix.lower() == ".npz":
            array = _read_npz(path)
        else:
            array = _read_image(path)
    except MapError:
        raise
    except Exception as error:  # decoders raise whatever they like on malformed files
        raise MapError("unreadable", f"damaged: {one_line(str(error)) or type(error).__name__}") from None
    with np.errstate(over="ignore"):
        values: FloatMap = array.reshape(_plane(array.shape)).astype(np.float32)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise MapError(
            "not finite", f"{bad} of {values.size} pixels are NaN, infinite or too large for float32"
        )
    return values


def resized_map(values: FloatMap, size: int) -> FloatMap:
    """Resize a map bilinearly (half-pixel centres, no antialiasing) to float32 (size, size)."""
    if values.shape == (size, size):
        return values
    return cv2.resize(values, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _plane(shape: Shape) -> tuple[int, int]:
    """Return height and width of a one-channel array, (H, W) with leading or trailing dimensions of 1."""
    plane = shape
    while len(plane) > 2 and plane[0] == 1:
        plane = plane[1:]
    while len(plane) > 2 and plane[-1] == 1:
        plane = plane[:-1]
    if len(plane) != 2:
        raise MapError("wrong size", f"shape {shape}: expected one channel, (height, width)")
    height, width = plane
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise MapError("wrong size", f"{height}×{width}: at most {MAX_SIDE} a side and {MAX_PIXELS:,} pixels")
    return height, width


def _check(shape: Shape) -> None:
    _plane(shape)


def _read_npz(path: Path) -> npt.NDArray[np.generic]:
    with zipfile.ZipFile(path) as archive:
        names = [name[: -len(".npy")] for name in archive.namelist() if name.endswith(".npy")]
    if "map" not in names and len(names) != 1:
        raise MapError("unreadable", f"{len(names)} arrays: expected one, or one named map")
    return read_npz_member(path, "map" if "map" in names else names[0], _check)


def _read_image(path: Path) -> npt.NDArray[np.generic]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow finds odd but can read
        image = Image.open(path, formats=("PNG", "TIFF"))
    with image:
        _check((image.height, image.width))
        if image.mode not in GRAY_MODES:
            raise MapError("wrong size", f"colour mode {image.mode}: expected one channel of numbers")
        if _has_second_page(image):
            raise MapError("wrong size", "several pages: expected one")
        return np.asarray(image)


def _has_second_page(image: Image.Image) -> bool:
    """Look for a second page; counting them all would read a file of thousands from end to end."""
    try:
        image.seek(1)
    except EOFError:
        image.seek(0)
        return False
    return True
