"""The pixel cache on request, outside of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.datasets import Sample, layout_of, load_dataset
from benchmark.datasets.cache import PixelCache
from benchmark.datasets.loading import loader_workers
from cocoad.base.errors import CocoadError, InputError
from cocoad.coco.partition import SPLITS

if TYPE_CHECKING:
    from rich.progress import Progress


def dataset_images(
    path: Path, splits: Sequence[int], layout: str | None, coco_root: Path | None
) -> list[Sample]:
    """Return all images of a dataset's splits (none named, or all of COCO-AD: all there are), each once.

    Raises:
        InputError: no such dataset or split.
    """
    every = layout_of(path, layout).splits(path)
    chosen = every if not splits or set(splits) == set(SPLITS) else splits
    chosen = chosen if every else [0]
    found = [load_dataset(path, layout=layout, split=split, coco_root=coco_root) for split in chosen]
    return list({sample.id: sample for each in found for sample in each.train + each.test}.values())


def fill_cache(
    cache: PixelCache, samples: Sequence[Sample], workers: int | None, progress: Progress
) -> Iterator[str]:
    """Fill the cache; yield what will be and what was done."""
    needed = cache.needed_bytes(samples)
    yield f"{len(samples):,} images, {needed / 1e9:.2f} GB more in {cache.directory}"
    started = time.perf_counter()
    task = progress.add_task("writing the pixel cache", total=needed // cache.row_bytes)
    done = cache.fill(
        samples,
        loader_workers(workers),
        lambda done, total: progress.update(task, completed=done, total=total),
    )
    seconds = time.perf_counter() - started
    yield f"{done:,} images decoded in {seconds:.1f} s; bench run finds them by itself"


def check_cache(cache: PixelCache, samples: Sequence[Sample]) -> str:
    """Return that the cache is sound.

    Raises:
        InputError: images are not in it.
        CocoadError: rows are damaged (the error names the first).
    """
    if missing := cache.missing(samples):
        raise InputError(
            f"{len(missing):,} of {len(samples):,} images are not in {cache.directory}: run bench cache"
        )
    if wrong := cache.damaged(samples):
        raise CocoadError(
            f"{len(wrong):,} of {len(samples):,} images are damaged in {cache.directory}, {wrong[0]} first: "
            "run bench cache --clear, and fill it again"
        )
    return f"sound: {len(samples):,} images in {cache.directory}"


def clear_cache(cache: PixelCache) -> str:
    """Delete the cache; return what was deleted."""
    return f"deleted {cache.directory}" if cache.forget() else f"there is no {cache.directory} to delete"
