"""Regions of a map above a threshold: where the anomaly is, as boxes."""

from __future__ import annotations

from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt


class Region(msgspec.Struct, frozen=True):
    """One 8-connected region of pixels above the threshold.

    Attributes:
        x, y, width, height: its box, in pixels of the image, from the upper left.
        area: its pixels.
        peak: the highest score in it.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float


def regions(scores: npt.NDArray[np.floating], threshold: float, smallest: int = 1) -> list[Region]:
    """Return the regions of a map (H, W) above ``threshold``, the highest peak first.

    Args:
        scores: larger = more anomalous.
        threshold: strictly exceeded inside.
        smallest: regions of fewer pixels are left out.

    >>> found = regions(np.array([[0.0, 0.9, 0.0], [0.8, 0.0, 0.0], [0.0, 0.0, 0.0]]), 0.5)
    >>> [(region.x, region.y, region.width, region.height, region.area) for region in found]
    [(0, 0, 2, 2, 2)]
    """
    above = (scores > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    found = [_region(scores, labels, index, stats[index]) for index in range(1, count)]
    return sorted(
        (region for region in found if region.area >= smallest),
        key=lambda region: (-region.peak, region.y, region.x),
    )


def _region(
    scores: npt.NDArray[np.floating], labels: npt.NDArray[Any], index: int, stats: npt.NDArray[Any]
) -> Region:
    x, y, width, height, area = (int(value) for value in stats)
    box = slice(y, y + height), slice(x, x + width)
    return Region(x, y, width, height, area, float(scores[box][labels[box] == index].max()))
