"""A look at every file of a dataset before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.datasets.checks import check_header
from benchmark.datasets.images import read_image
from benchmark.datasets.loading import loaded
from benchmark.datasets.masks import BLACK, checked_mask, resized_mask
from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import Sample
from cocoad.base.errors import InputError

CHUNK = 16  # samples that a helper looks at in one go
Seen = list[tuple[int, str | None, frozenset[str]]]  # (index of a sample, what is wrong with it, what is odd)
OnImage = Callable[[str, int, int], None]  # (what, done, of how many)
VANISHED = "vanish"


def look(
    path: Path,
    samples: Sequence[Sample],
    *,
    image_size: int | None = None,
    pixels: bool,
    workers: int,
    on_image: OnImage | None = None,
) -> list[str]:
    """Read all of each mask, and of each image its header or its ``pixels``; return notes on what is odd.

    Args:
        path: of the dataset.
        samples: to look at.
        image_size: pixels, square: masks that have nothing left at it are told; None: no size is known yet.
        pixels: decode the images.
        workers: processes that read.
        on_image: hears how far it is.

    Raises:
        InputError: some cannot be read, or a mask is not the one that the dataset was built with; all are named.
    """

    def fetch(indices: Sequence[int]) -> Seen:
        return [(index, *_look_at(samples[index], image_size, pixels)) for index in indices]

    order = [range(start, min(start + CHUNK, len(samples))) for start in range(0, len(samples), CHUNK)]
    problems: list[str] = []
    odd: dict[str, list[str]] = {}
    for chunk, seen in zip(order, loaded(fetch, order, workers), strict=True):
        for index, problem, remarks in seen:
            problems += [problem] if problem else []
            for remark in remarks:
                odd.setdefault(remark, []).append(samples[index].id)
        if on_image is not None:
            on_image("looking at images and masks", chunk.stop, len(samples))
    refuse(path, problems)
    masks = Counter(sample.mask is not None for sample in samples)[True]
    return [_note(remark, ids, masks, image_size) for remark, ids in sorted(odd.items())]


def _look_at(sample: Sample, size: int | None, pixels: bool) -> tuple[str | None, frozenset[str]]:
    remarks: frozenset[str] = frozenset()
    try:
        if pixels:
            read_image(sample.image, sample.bits)
        check_header(sample)
        if sample.mask is not None:
            mask, remarks = checked_mask(sample)
            if size is not None and BLACK not in remarks and not resized_mask(mask, size).any():
                remarks |= {VANISHED}
    except InputError as error:
        return str(error), remarks
    return None, remarks


def _note(remark: str, ids: Sequence[str], masks: int, size: int | None) -> str:
    if remark == VANISHED:
        what = (
            f"vanish at {size} pixels: under ader such images count as normal; "
            "a larger --image-size, or --tiles, keeps them"
        )
    else:
        what = remark
    return f"{len(ids):,} of {masks:,} masks {what} ({ids[0]} first)"
