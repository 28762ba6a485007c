"""Small pictures for the gallery, as data URLs and outlines: nothing is fetched when the page is read."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.datasets.images import SUFFIXES, as_rgb
from benchmark.runs.outputs import PREVIEW_SIZE
from cocoad.base.errors import InputError
from cocoad.base.images import open_image

THUMBNAIL_SIZE = 192  # pixels, square, as the methods saw the image: its aspect is not kept
MOST_PIXELS = 60_000_000  # of an image that is opened at all
LEVELS = 64  # of a heatmap
FINER = 3  # an outline's steps per cell of a preview
MOST_OUTLINES = 60  # the largest are drawn

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class NoPictureError(Exception):
    """An image is not shown; its message says why in a few words."""


def thumbnail(path: Path) -> str:
    """Return an image as a JPEG's data URL.

    Raises:
        NoPictureError: it is gone, no image, or too large to open.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise NoPictureError("its path names no image")
    try:
        gone = not path.exists()
    except (OSError, ValueError):
        gone = True
    if gone:
        raise NoPictureError("its file is not here")
    try:
        with open_image(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NoPictureError("too large to open")
            image.draft("RGB", (2 * THUMBNAIL_SIZE, 2 * THUMBNAIL_SIZE))
            size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
            small = as_rgb(image).resize(size, Image.Resampling.BILINEAR)
    except InputError:
        raise NoPictureError("its file is no image that can be read") from None
    return _data_url(small, "jpeg", quality=78)


def heatmap(values: FloatArray, low: float, high: float) -> str:
    """Return a map (64, 64) as a PNG's data URL, ``low`` dark and ``high`` bright."""
    shares = np.clip((values.astype(np.float64) - low) / max(high - low, 1e-30), 0, 1)
    picture = Image.fromarray((shares * (LEVELS - 1)).round().astype(np.uint8))
    picture.putpalette(_palette())
    return _data_url(picture, "png", optimize=True)


@cache
def _palette() -> bytes:
    steps = np.linspace(0, 255, LEVELS).astype(np.uint8).reshape(-1, 1)
    return cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[:, 0, ::-1].tobytes()


def _data_url(picture: Image.Image, form: str, **options: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return f"data:image/{form};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def mask_outline(mask: BoolArray) -> str:
    """Return a mask's (64, 64) outline as an SVG path in cells, along the edges of cells."""
    return _path(mask.astype(np.uint8).repeat(FINER, axis=0).repeat(FINER, axis=1))


def map_outline(values: FloatArray, threshold: float) -> str:
    """Return where a map (64, 64), interpolated, crosses ``threshold``, as an SVG path in cells."""
    size = (PREVIEW_SIZE * FINER, PREVIEW_SIZE * FINER)
    return _path((cv2.resize(values, size, interpolation=cv2.INTER_LINEAR) >= threshold).astype(np.uint8))


def _path(inside: npt.NDArray[np.uint8]) -> str:
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(found, key=lambda contour: -len(contour))[:MOST_OUTLINES]
    parts = []
    for contour in largest:
        points = cv2.approxPolyDP(contour, 0.6, closed=True)[:, 0] + 0.5
        if len(points) > 2:
            parts.append("M" + " ".join(f"{x:.4g} {y:.4g}" for x, y in points / FINER) + "z")
    return "".join(parts)
