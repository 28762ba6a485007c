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
from cocoad.build.forks import forked
from cocoad.coco.annotations import Annotations, Ids
from cocoad.coco.outlines import Mask, Rasterizer, rasterize
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
    input_error: str | None = None
    os_error: tuple[int, str, str] | None = None


class Drawing:
    """Masks that are being drawn."""

    def __init__(self, lines: Iterator[bytes], batches: int) -> None:
        self._lines = lines
        self._batches = batches

    def finish(self, advance: Callable[[int, int], None]) -> tuple[DrawnMasks, Counter[str]]:
        """Wait for all masks; return them by split and image row, and what was odd but taken.

        Args:
            advance: is told how many batches are drawn, of how many.

        Raises:
            InputError: an annotation cannot be drawn.
            OSError: a mask cannot be written.
        """
        drawn: DrawnMasks = {}
        oddities: Counter[str] = Counter()
        for done, line in enumerate(self._lines):
            advance(done, self._batches)
            batch = msgspec.json.decode(line, type=_Batch)
            if batch.input_error is not None:
                raise InputError(batch.input_error)
            if batch.os_error is not None:
                raise OSError(*batch.os_error)
            drawn |= {(mask.split, mask.row): mask for mask in batch.masks}
            oddities.update(batch.oddities)
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

    def draw(mine: list[list[tuple[int, Ids]]]) -> Iterator[bytes]:
        for batch in mine:
            yield msgspec.json.encode(_draw_batch(val, batch, rasterizer, directory)) + b"\n"

    processes = min(jobs, 1 + len(tasks) // _WORTH_FORKING)
    with contextlib.ExitStack() as stack:
        if processes == 1:
            lines = draw(batches)
        else:
            lines = stack.enter_context(forked([draw(batches[at::processes]) for at in range(processes)]))
        yield Drawing(lines, len(batches))


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
    masks = []
    try:
        for split, indices in batch:
            row = int(val.annotation_rows[indices[0]])
            mask = _draw_mask(val, row, indices, rasterizer, oddities)
            write_mask_png(directory / mask_path(split, int(val.image_ids[row])), mask)
            masks.append(DrawnMask(split, row, mask_digest(mask), int(np.count_nonzero(mask.view(np.bool_)))))
    except InputError as error:
        return _Batch(input_error=str(error))
    except OSError as error:
        return _Batch(
            os_error=(error.errno or 0, os.strerror(error.errno or 0), str(error.filename or directory))
        )
    return _Batch(masks, dict(oddities))


def _draw_mask(
    val: Annotations, row: int, indices: Ids, rasterizer: Rasterizer, oddities: Counter[str]
) -> Mask:
    """Draw the annotations at ``indices``, all of the image at ``row``, as one mask."""
    parsed = [val.outline(index, oddities) for index in indices.tolist()]
    return rasterize(parsed, int(val.heights[row]), int(val.widths[row]), rasterizer)
