"""Samples as rows of pixels: each image whole, or in the tiles that it is cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import Sample
from benchmark.tiling import Grid, Tiling, concatenated
from cocoad.base.errors import InputError
from cocoad.base.images import image_size


@dataclass(frozen=True)
class Cut:
    """What a method sees of some images.

    Attributes:
        images: the samples.
        parts: the same, or the tiles of the first, of the second and so on.
        grids: of each image its tiles; empty: images are seen whole.
    """

    images: tuple[Sample, ...]
    parts: tuple[Sample, ...]
    grids: tuple[Grid, ...] = ()

    @cached_property
    def _places(self) -> list[range]:
        """Of each image its parts; empty: images are seen whole."""
        return concatenated(self.grids)

    @property
    def most(self) -> int:
        """The largest number of parts of an image."""
        return max(map(len, self._places), default=1)

    def indices(self, images: Sequence[int]) -> list[int]:
        """Return which parts are those of ``images``, in their order."""
        if not self.grids:
            return list(images)
        return [part for image in images for part in self._places[image]]


class Cuts(NamedTuple):
    """A dataset as a method sees it."""

    train: Cut
    calibration: Cut
    test: Cut

    @property
    def parts(self) -> tuple[Sample, ...]:
        """All there is to see."""
        return self.train.parts + self.calibration.parts + self.test.parts


def cut(path: Path, samples: Sequence[Sample], tiling: Tiling | None) -> Cut:
    """Return ``samples`` of the dataset at ``path`` as they are seen; their headers are read if they are to be tiled.

    Raises:
        InputError: some cannot be read; all are named.
    """
    images = tuple(samples)
    if tiling is None:
        return Cut(images, images)
    grids: list[Grid] = []
    problems: list[str] = []
    for sample in images:
        try:
            grids.append(tiling.grid(*image_size(sample.image)))
        except InputError as error:
            problems.append(str(error))
    refuse(path, problems)
    parts = [
        replace(sample, box=box) for sample, grid in zip(images, grids, strict=True) for box in grid.boxes
    ]
    return Cut(images, tuple(parts), tuple(grids))
