"""The masks of a build: drawn and written by threads, while the annotations of train2017 are still being read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cocoad.annotations import Annotations, Ids
from cocoad.errors import InputError
from cocoad.manifest import Rasterizer, mask_path
from cocoad.masks import mask_digest, parse_segmentation, rasterize, write_mask_png
from cocoad.partition import Membership

_BATCH = 16  # masks a thread draws before it reports


@dataclass(frozen=True)
class DrawnMask:
    """A mask that has been written: its digest (see `TestSample.mask_sha256`) and its anomalous pixels."""

    sha256: str
    pixels: int


DrawnMasks: TypeAlias = dict[tuple[int, int], DrawnMask]  # by split and image row


def start_drawing(
    val: Annotations,
    members: Mapping[int, Membership],
    rasterizer: Rasterizer,
    directory: Path,
    pool: ThreadPoolExecutor,
) -> list[Future[tuple[DrawnMasks, Counter[str]]]]:
    """Have every split's masks drawn by ``pool`` and written below ``directory``.

    Args:
        val: annotations with their segmentations.
        members: by split.

    Returns:
        What will have been drawn, batch by batch, and what was odd but taken; or InputError for the annotation
        that cannot be drawn.
    """

    def draw(tasks: list[tuple[int, Ids]]) -> tuple[DrawnMasks, Counter[str]]:
        drawn: DrawnMasks = {}
        oddities: Counter[str] = Counter()
        for split, indices in tasks:
            row = int(val.annotation_rows[indices[0]])
            path = directory / mask_path(split, int(val.image_ids[row]))
            drawn[split, row] = _draw_mask(val, row, indices, rasterizer, path, oddities)
        return drawn, oddities

    tasks = []
    for split, member in members.items():
        (directory / mask_path(split, 0)).parent.mkdir(parents=True)
        tasks += [(split, indices) for indices in by_image(val.annotation_rows, member.held_out)]
    return [pool.submit(draw, tasks[at : at + _BATCH]) for at in range(0, len(tasks), _BATCH)]


def by_image(annotation_rows: Ids, chosen: NDArray[np.bool_]) -> list[Ids]:
    """Group the chosen annotations by their image, in the order of the file within each."""
    indices = np.flatnonzero(chosen)
    if not indices.size:
        return []
    indices = indices[np.argsort(annotation_rows[indices], kind="stable")]
    return np.split(indices, np.flatnonzero(np.diff(annotation_rows[indices])) + 1)


def _draw_mask(
    val: Annotations, row: int, indices: Ids, rasterizer: Rasterizer, path: Path, oddities: Counter[str]
) -> DrawnMask:
    """Draw the annotations at ``indices``, all of the image at ``row``, as one mask."""
    height, width = int(val.heights[row]), int(val.widths[row])
    assert val.segmentations is not None
    parsed = []
    for index in indices.tolist():
        try:
            parsed.append(parse_segmentation(val.segmentations[index], height, width, oddities))
        except InputError as error:
            which = f"annotation {val.annotation_ids[index]} of image {val.image_ids[row]}"
            raise InputError(f"{val.name}: {which}: {error}") from None
    mask = rasterize(parsed, height, width, rasterizer)
    write_mask_png(path, mask)
    return DrawnMask(mask_digest(mask), int(np.count_nonzero(mask)))
