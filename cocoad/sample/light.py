"""Laying things on a picture so that they seem to lie there: soft edges, a shadow, a rounded surface."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cocoad.sample.looks import Canvas, Mask

MARGIN = 6  # pixels around a mask that its shadow and its soft edge may reach
SHADOW = 0.55  # of the light that the deepest shadow takes


def lay(canvas: Canvas, paint: Canvas, mask: Mask, *, height: float, roundness: float) -> None:
    """Put ``paint`` onto ``canvas`` (both (H, W, 3)) where ``mask`` is 1, lit from the upper left.

    Args:
        height: how far the shadow falls, pixels.
        roundness: how much darker and brighter the sides are, of 1.
    """
    x, y, width, tall = cv2.boundingRect(mask)
    if not width:
        return
    rows = slice(max(0, y - MARGIN), y + tall + MARGIN)
    columns = slice(max(0, x - MARGIN), x + width + MARGIN)
    ground, inside = canvas[rows, columns], mask[rows, columns]
    cast = np.zeros_like(inside, np.float32)
    fall = max(1, round(height))
    cast[fall:, fall:] = inside[:-fall, :-fall]
    shade = 1 - SHADOW * np.asarray(cv2.GaussianBlur(cast, (0, 0), 0.5 + height / 2))
    cover = np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0.6))[..., None]
    lit = paint[rows, columns] * _light(inside, roundness)[..., None]
    blended = ground * shade[..., None] * (1 - cover) + lit * cover
    ground[:] = np.clip(blended, 0, 255).astype(np.uint8)


def _light(mask: Mask, roundness: float) -> npt.NDArray[np.float32]:
    """Return the light on a body that swells from the mask's edge to its middle, (H, W), about 1."""
    inner = np.asarray(cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3))[1:-1, 1:-1]
    swell = np.sqrt(inner / (inner.max() + 1e-6))
    smooth = np.asarray(cv2.GaussianBlur(swell.astype(np.float32), (0, 0), 1 + float(inner.max()) / 6))
    down, right = np.gradient(smooth)
    slope = (down + right) * (float(inner.max()) + 1)
    light: npt.NDArray[np.float32] = (1 + roundness * np.clip(slope, -1, 1)).astype(np.float32)
    return light
