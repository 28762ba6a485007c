"""Large images in tiles, as geometry: overlapping squares that a method sees one by one.

A defect of a few pixels vanishes where a large photo is shrunk to a method's input; in tiles it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cocoad.base.errors import InputError

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the image, as Pillow crops

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
        starts = (round(part * (length - self.size) / (count - 1)) for part in range(count))
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


def concatenated(grids: Sequence[Grid]) -> list[range]:
    """Return which of all their tiles, one after the other, are those of each grid."""
    ends = accumulate(len(grid.boxes) for grid in grids)
    return [range(end - len(grid.boxes), end) for grid, end in zip(grids, ends, strict=True)]
