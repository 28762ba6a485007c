"""Large images in tiles: cut into overlapping squares that a method sees one by one, whose maps become one again.

A defect of a few pixels vanishes where a large photo is shrunk to a method's input; in tiles it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cocoad.base.errors import InputError

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the image, as Pillow crops
Floats = npt.NDArray[np.float32]

OVERLAP_SHARE = 8  # of a tile's side, neighbours overlap by one part in so many unless asked otherwise
SCORE_SIZE = 1024  # pixels, square, at which maps of tiles meet masks unless asked otherwise


@dataclass(frozen=True)
class Tiling:
    """Squares of ``size`` pixels of an image, neighbours over one another by at least ``overlap``."""

    size: int
    overlap: int

    def grid(self, width: int, height: int) -> Grid:
        """Return the tiles of an image; a side shorter than a tile is taken whole."""
        columns, rows = self._spans(width), self._spans(height)
        boxes = tuple((left, top, right, bottom) for top, bottom in rows for left, right in columns)
        return Grid(width, height, boxes, self.overlap)

    def _spans(self, length: int) -> list[tuple[int, int]]:
        if length <= self.size:
            return [(0, length)]
        count = -(-(length - self.overlap) // (self.size - self.overlap))
        starts = np.linspace(0, length - self.size, count).round().astype(int).tolist()
        return [(start, start + self.size) for start in starts]


def tiling(size: int | None, overlap: int | None) -> Tiling | None:
    """Return the tiling by squares of ``size``; None: none. Without an ``overlap`` it is an eighth of a tile.

    Raises:
        InputError: they overlap by more than half, or there are none to overlap.
    """
    if size is None:
        if overlap is not None:
            raise InputError("--tile-overlap without tiles: give --tiles PIXELS as well")
        return None
    if overlap is not None and 2 * overlap > size:
        raise InputError(
            f"tiles of {size} pixels overlap by {overlap}: give --tile-overlap at most half of --tiles"
        )
    return Tiling(size, size // OVERLAP_SHARE if overlap is None else overlap)


@dataclass(frozen=True)
class Grid:
    """The tiles of one image: row by row, all of its pixels covered."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    overlap: int

    def stitched(self, maps: Floats, size: int) -> Floats:
        """Return one map (size, size), stretched over the whole image, of the tiles' maps (n, S, S).

        Where tiles overlap their values are averaged, each the less the nearer its tile's edge is.
        """
        total: Floats = np.zeros((size, size), np.float32)
        weights: Floats = np.zeros((size, size), np.float32)
        across, down = size / self.width, size / self.height
        for one, box in zip(maps, self.boxes, strict=True):
            left, right = _stretched(box[0], box[2], across, size)
            top, bottom = _stretched(box[1], box[3], down, size)
            patch = cv2.resize(one, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
            weight = np.outer(
                _ramp(bottom - top, self.overlap * down), _ramp(right - left, self.overlap * across)
            )
            total[top:bottom, left:right] += weight * patch
            weights[top:bottom, left:right] += weight
        return total / weights


def _stretched(start: int, stop: int, factor: float, size: int) -> tuple[int, int]:
    """Return a span of an image's side on a map's; of at least a pixel."""
    first = min(round(start * factor), size - 1)
    return first, max(round(stop * factor), first + 1)


def _ramp(length: int, overlap: float) -> Floats:
    """Return weights (length,) that rise to 1 over ``overlap`` from both ends."""
    inward = np.arange(length, dtype=np.float32) + 0.5
    rising: Floats = np.minimum(inward, inward[::-1]) / max(overlap, 1)
    return np.minimum(rising, 1)


def concatenated(grids: Sequence[Grid]) -> list[slice]:
    """Return which of all their tiles, one after the other, are those of each grid."""
    ends = np.cumsum([len(grid.boxes) for grid in grids]).tolist()
    return [slice(end - len(grid.boxes), end) for grid, end in zip(grids, ends, strict=True)]
