"""Scoring a test set: maps stream into the metrics and are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmark.datasets.batches import PixelRows, Pixels
from benchmark.datasets.cut import Cut
from benchmark.datasets.loading import loaded
from benchmark.datasets.samples import Sample
from benchmark.methods.base import Method
from benchmark.methods.tiled import predict_tiled
from benchmark.scoring.testset import Masks, TestSet, masks_of
from benchmark.tiling import Grid
from benchmark.training.memory import memory_error
from benchmark.training.processes import gathered
from cocoad.base.errors import CocoadError

MOST_VALUES = 1 << 25  # of the maps of a batch


@dataclass(frozen=True)
class Scoring:
    """How a test set is scored, by each of ``processes`` that take every ``processes``-th image.

    Attributes:
        cut: the test set, as the method sees it.
        rows: pixels of its parts, in their order.
        size: pixels at which maps and masks are compared.
        batch_size: images, or tiles of them, at a time in this process.
        device: of the method.
        workers: processes that read images and masks.
        rank: which share is this process's.
    """

    cut: Cut
    rows: PixelRows
    size: int
    batch_size: int
    device: torch.device
    workers: int
    rank: int = 0
    processes: int = 1

    def fetch(self, indices: Sequence[int]) -> _Batch:
        """Return images and masks."""
        chosen = [self.cut.images[index] for index in indices]
        grids = [self.cut.grids[index] for index in indices] if self.cut.grids else []
        return _Batch(chosen, self.rows.rows(self.cut.indices(indices)), grids, masks_of(chosen, self.size))

    def order(self) -> list[Sequence[int]]:
        """Return the batches of this process's share."""
        mine = range(self.rank, len(self.cut.images), self.processes)
        images = max(1, min(self.batch_size // self.cut.most, MOST_VALUES // self.size**2))
        return [mine[start : start + images] for start in range(0, len(mine), images)]

    def predict(self, method: Method, batch: _Batch) -> tuple[Tensor, Tensor]:
        """Return a method's maps (B, size, size) and scores (B,)."""
        pixels = torch.from_numpy(batch.rows).permute(0, 3, 1, 2).to(self.device)
        if batch.grids:
            return predict_tiled(method, pixels, batch.grids, self.size, self.batch_size)
        return method.predict(pixels.float() / 255, self.size)


class _Batch(NamedTuple):
    samples: list[Sample]
    rows: Pixels  # uint8 (B, S, S, 3), of tiles more than images
    grids: list[Grid]  # of the images; none: they are whole
    masks: Masks  # (B, size, size)


@torch.inference_mode()
def evaluate(
    method: Method,
    scoring: Scoring,
    on_batch: Callable[[int], None],
    maps_folder: Path | None = None,
) -> TestSet:
    """Score a test set and return it, whole in each process; ``on_batch`` hears how many images were scored.

    Raises:
        CocoadError: the method gave a map that is not finite.
        ResourceError: out of memory.
    """
    method.eval()
    scored = TestSet(maps_folder)
    for batch in loaded(scoring.fetch, scoring.order(), scoring.workers):
        try:
            maps, scores = scoring.predict(method, batch)
        except (RuntimeError, MemoryError) as error:
            parts, height, width, channels = batch.rows.shape
            at_once = min(parts, scoring.batch_size)
            raise memory_error(error, method, (at_once, channels, height, width)) from None
        if not torch.isfinite(maps).all():
            raise CocoadError(f"the method gave a map that is not finite, near {batch.samples[0].id}")
        scored.add(batch.samples, maps.float(), batch.masks, scores.float().tolist())
        on_batch(len(batch.samples))
    return scored if scoring.processes == 1 else scored.merged(gathered(scored.part()))
