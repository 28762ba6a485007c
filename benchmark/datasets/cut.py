"""Samples as rows of pixels: each image whole, or in the tiles that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import Sample
from benchmark.tiling import Grid, Tiling
from cocoad.base.errors import InputError
from cocoad.base.images import image_size


@dataclass(frozen=True)
class Cut:
    """What a method sees of some images, as samples.

    Attributes:
        parts: the images, or the tiles of the first, of the second and so on.
        grids: of each image its tiles; empty: images are seen whole.
    """

    parts: tuple[Sample, ...]
    grids: tuple[Grid, ...] = ()

    @property
    def most(self) -> int:
        """The largest number of parts of an image."""
        return max((len(grid.boxes) for grid in self.grids), default=1)

    def indices(self, images: Sequence[int]) -> list[int]:
        """Return which parts are those of ``images``, in their order."""
        if not self.grids:
            return list(images)
        ends = list(accumulate(len(grid.boxes) for grid in self.grids))
        return [
            part
            for image in images
            for part in range(ends[image] - len(self.grids[image].boxes), ends[image])
        ]


def cut(path: Path, samples: Sequence[Sample], tiling: Tiling | None) -> Cut:
    """Return ``samples`` of the dataset at ``path`` as they are seen; their headers are read if they are to be tiled.

    Raises:
        InputError: some cannot be read; all are named.
    """
    if tiling is None:
        return Cut(tuple(samples))
    grids: list[Grid] = []
    problems: list[str] = []
    for sample in samples:
        try:
            grids.append(tiling.grid(*image_size(sample.image)))
        except InputError as error:
            problems.append(str(error))
    refuse(path, problems)
    parts = tuple(
        replace(sample, box=box) for sample, grid in zip(samples, grids, strict=True) for box in grid.boxes
    )
    return Cut(parts, tuple(grids))
