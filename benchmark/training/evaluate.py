"""Scoring a test set: maps stream into the metrics and are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from benchmark.datasets.batches import PixelRows, Pixels
from benchmark.datasets.loading import loaded
from benchmark.datasets.samples import Sample
from benchmark.methods.base import Method
from benchmark.scoring.testset import Masks, TestSet, masks_of
from benchmark.training.memory import memory_error
from benchmark.training.processes import gathered
from cocoad.base.errors import CocoadError


@dataclass(frozen=True)
class Scoring:
    """How a test set is scored, by each of ``processes`` that take every ``processes``-th image.

    Attributes:
        samples: the test set.
        rows: its pixels, in the same order.
        size: pixels at which maps and masks are compared.
        batch_size: images at a time in this process.
        device: of the method.
        workers: processes that read images and masks.
        rank: which share is this process's.
    """

    samples: Sequence[Sample]
    rows: PixelRows
    size: int
    batch_size: int
    device: torch.device
    workers: int
    rank: int = 0
    processes: int = 1

    def fetch(self, indices: Sequence[int]) -> _Batch:
        """Return images and masks."""
        chosen = [self.samples[index] for index in indices]
        return _Batch(chosen, self.rows.rows(indices), masks_of(chosen, self.size))

    def order(self) -> list[Sequence[int]]:
        """Return the batches of this process's share."""
        mine = range(self.rank, len(self.samples), self.processes)
        return [mine[start : start + self.batch_size] for start in range(0, len(mine), self.batch_size)]


class _Batch(NamedTuple):
    samples: list[Sample]
    rows: Pixels  # uint8 (B, S, S, 3)
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
    for samples, rows, masks in loaded(scoring.fetch, scoring.order(), scoring.workers):
        pixels = torch.from_numpy(rows).permute(0, 3, 1, 2)
        try:
            maps, scores = method.predict(pixels.to(scoring.device).float() / 255, scoring.size)
        except (RuntimeError, MemoryError) as error:
            raise memory_error(error, method, tuple(pixels.shape)) from None
        if not torch.isfinite(maps).all():
            raise CocoadError(f"the method gave a map that is not finite, near {samples[0].id}")
        scored.add(samples, maps.float(), masks, scores.float().tolist())
        on_batch(len(samples))
    return scored if scoring.processes == 1 else scored.merged(gathered(scored.part()))
