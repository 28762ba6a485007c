"""The masks of a build: drawn by helper processes while the parent reads train2017."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError
from cocoad.base.processes import forked
from cocoad.coco.annotations import Annotations, Ids
from cocoad.coco.faults import Faults, add_normalised
from cocoad.coco.outlines import Polygons, Rasterizer, is_normalised, rasterize
from cocoad.dataset.manifest import mask_path
from cocoad.dataset.masks import mask_digest, write_mask_png
from cocoad.dataset.membership import Membership

_BATCH = 16  # masks that are reported at once
_WORTH_FORKING = 500  # masks that take about as long as a process costs


class DrawnMask(msgspec.Struct, frozen=True):
    """A mask that has been written: its digest (see `TestSample.mask_sha256`) and its anomalous pixels."""

    split: int
    row: int  # of its image
    sha256: str
    pixels: int


DrawnMasks: TypeAlias = dict[tuple[int, int], DrawnMask]  # by split and image row


class _Batch(msgspec.Struct):
    """What a helper reports: masks that it has drawn and what was odd about them, or why it could not."""

    masks: list[DrawnMask] = []
    oddities: dict[str, int] = {}
    undrawable: list[tuple[int, str]] = []  # annotation ids, and why
    normalised: list[int] = []  # annotation ids
    polygons: int = 0
    os_error: tuple[int, str, str] | None = None


class Drawing:
    """Masks that are being drawn."""

    def __init__(self, results: Iterator[_Batch], batches: int) -> None:
        self._results = results
        self._batches = batches

    def finish(
        self, where: str, faults: Faults, advance: Callable[[int, int], None]
    ) -> tuple[DrawnMasks, Counter[str]]:
        """Wait for all masks; return them by split and image row, and what was odd but taken.

        Args:
            where: the annotation file.
            faults: takes the annotations that cannot be drawn.
            advance: is told how many batches are drawn, of how many.

        Raises:
            OSError: a mask cannot be written.
        """
        drawn: DrawnMasks = {}
        oddities: Counter[str] = Counter()
        undrawable: dict[int, str] = {}  # an annotation may be in several splits
        normalised: list[int] = []
        polygons = 0
        for done, batch in enumerate(self._results):
            advance(done, self._batches)
            if batch.os_error is not None:
                raise OSError(*batch.os_error)
            undrawable |= dict(batch.undrawable)
            normalised += batch.normalised
            polygons += batch.polygons
            drawn |= {(mask.split, mask.row): mask for mask in batch.masks}
            oddities.update(batch.oddities)
        for ident in sorted(undrawable):
            faults.add("outline-wrong", where, ident, undrawable[ident])
        add_normalised(where, normalised, polygons, faults)
        return drawn, oddities


@contextlib.contextmanager
def drawing(
    val: Annotations, members: Mapping[int, Membership], rasterizer: Rasterizer, directory: Path, jobs: int
) -> Iterator[Drawing]:
    """Draw every split's masks below ``directory`` while the block runs.

    Args:
        val: annotations with their segmentations.
        members: by split.
        jobs: processes to draw with beside this one; with 1, or few masks, `Drawing.finish` does it itself.
    """
    tasks = []
    for split, member in members.items():
        (directory / mask_path(split, 0)).parent.mkdir(parents=True)
        tasks += [(split, indices) for indices in by_image(val.annotation_rows, member.held_out)]
    batches = [tasks[at : at + _BATCH] for at in range(0, len(tasks), _BATCH)]

    def draw(number: int) -> _Batch:
        return _draw_batch(val, batches[number], rasterizer, directory)

    processes = min(jobs, 1 + len(tasks) // _WORTH_FORKING)
    if processes == 1:
        yield Drawing(map(draw, range(len(batches))), len(batches))
    else:
        with forked(draw, len(batches), processes) as results:
            yield Drawing(results, len(batches))


def by_image(annotation_rows: Ids, chosen: NDArray[np.bool_]) -> list[Ids]:
    """Group the chosen annotations by their image, in the order of the file within each."""
    indices = np.flatnonzero(chosen)
    if not indices.size:
        return []
    indices = indices[np.argsort(annotation_rows[indices], kind="stable")]
    return np.split(indices, np.flatnonzero(np.diff(annotation_rows[indices])) + 1)


def _draw_batch(
    val: Annotations, batch: list[tuple[int, Ids]], rasterizer: Rasterizer, directory: Path
) -> _Batch:
    oddities: Counter[str] = Counter()
    masks, undrawable, normalised, polygons = [], [], [], 0
    try:
        for split, indices in batch:
            row = int(val.annotation_rows[indices[0]])
            outlines = []
            for index in indices.tolist():
                try:
                    outlines.append(val.outline(index, oddities))
                except InputError as error:
                    undrawable.append((int(val.annotation_ids[index]), str(error)))
                    continue
                if isinstance(outlines[-1], Polygons):
                    polygons += 1
                    if is_normalised(outlines[-1], int(val.heights[row]), int(val.widths[row])):
                        normalised.append(int(val.annotation_ids[index]))
            try:
                mask = rasterize(outlines, int(val.heights[row]), int(val.widths[row]), rasterizer)
            except InputError as error:  # of all of them together
                undrawable.append((int(val.annotation_ids[indices[0]]), str(error)))
                continue
            write_mask_png(directory / mask_path(split, int(val.image_ids[row])), mask)
            masks.append(DrawnMask(split, row, mask_digest(mask), int(np.count_nonzero(mask.view(np.bool_)))))
    except OSError as error:
        return _Batch(
            os_error=(error.errno or 0, os.strerror(error.errno or 0), str(error.filename or directory))
        )
    return _Batch(masks, dict(oddities), undrawable, normalised, polygons)
