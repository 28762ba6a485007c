"""Scoring a test set: maps stream into the metrics and are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from benchmark.datasets.batches import PixelRows, Pixels
from benchmark.datasets.loading import loaded
from benchmark.datasets.masks import load_mask
from benchmark.datasets.samples import Sample
from benchmark.methods.base import Method
from benchmark.metrics import Evaluator
from benchmark.runs.outputs import ImageScore, Previews, shrink, write_map
from benchmark.training.memory import memory_error
from benchmark.training.processes import gathered
from cocoad.base.errors import CocoadError


class Scored(NamedTuple):
    """A scored test set: the metrics' state, and per image its score and previews, in the samples' order."""

    evaluator: Evaluator
    scores: list[ImageScore]
    previews: Previews


class _Batch(NamedTuple):
    samples: list[Sample]
    rows: Pixels  # uint8 (B, S, S, 3)
    masks: npt.NDArray[np.bool_]  # (B, S, S)


@torch.inference_mode()
def evaluate(
    method: Method,
    rows: PixelRows,
    samples: Sequence[Sample],
    *,
    image_size: int,
    batch_size: int,
    device: torch.device,
    workers: int,
    maps_folder: Path | None,
    on_batch: Callable[[int], None],
    rank: int = 0,
    processes: int = 1,
) -> Scored:
    """Score ``samples``, whose pixels are ``rows``; with several processes each takes its share.

    Args:
        method: on ``device``.
        rows: the pixels, in the order of the samples.
        samples: the test set.
        image_size: S, of pixels and masks.
        batch_size: images at a time in this process.
        device: to score on.
        workers: processes that read images and masks.
        maps_folder: where to keep each map, compressed; None: nowhere.
        on_batch: hears how many images were scored.
        rank, processes: this process takes every ``processes``-th sample.

    Raises:
        CocoadError: the method gave a map that is not finite.
        ResourceError: out of memory.
    """
    method.eval()
    evaluator = Evaluator(protocols=("ader", "exact"))
    scores, maps_small, masks_small = (
        [],
        [np.zeros((0, 64, 64), np.float32)],
        [np.zeros((0, 64, 64), np.float32)],
    )

    def fetch(indices: Sequence[int]) -> _Batch:
        chosen = [samples[index] for index in indices]
        masks = np.stack([load_mask(sample, image_size) for sample in chosen])
        return _Batch(chosen, rows.rows(indices), masks)

    mine = range(rank, len(samples), processes)
    order = [mine[start : start + batch_size] for start in range(0, len(mine), batch_size)]
    for chosen, images, masks in loaded(fetch, order, workers):
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        try:
            maps, given_scores = method.predict(pixels.to(device).float() / 255)
        except (RuntimeError, MemoryError) as error:
            raise memory_error(error, method, tuple(pixels.shape)) from None
        maps, image_scores = maps.float(), given_scores.float().cpu().numpy()
        if not torch.isfinite(maps).all():
            raise CocoadError(f"the method gave a map that is not finite, near {chosen[0].id}")
        evaluator.update(
            maps,
            masks,
            labels=np.array([sample.label for sample in chosen]),
            image_scores=image_scores,
            classes=[sample.class_name for sample in chosen],
            groups=[sample.groups for sample in chosen],
            has_truth=[sample.has_truth for sample in chosen],
        )
        arrays = maps.cpu().numpy()
        for sample, score, one in zip(chosen, image_scores, arrays, strict=True):
            row = (sample.id, str(sample.image), sample.class_name, sample.label, float(score), sample.groups)
            scores.append(ImageScore(*row))
            if maps_folder is not None:
                write_map(maps_folder, sample.id, one)
        maps_small.append(shrink(arrays))
        masks_small.append(shrink(masks))
        on_batch(len(chosen))
    part = Scored(evaluator, scores, Previews(np.concatenate(maps_small), np.concatenate(masks_small) > 0.5))
    return part if processes == 1 else _merged(part, len(samples), processes)


def _merged(part: Scored, images: int, processes: int) -> Scored:
    """Return all processes' parts as one, in the samples' order."""
    parts = gathered((part.evaluator.state_dict(), part.scores, part.previews))
    evaluator = Evaluator.from_state_dict(*(state for state, _, _ in parts))
    order = np.argsort(np.concatenate([np.arange(rank, images, processes) for rank in range(processes)]))
    scores = [score for _, some, _ in parts for score in some]
    maps = np.concatenate([previews.maps for _, _, previews in parts])[order]
    masks = np.concatenate([previews.masks for _, _, previews in parts])[order]
    return Scored(evaluator, [scores[index] for index in order], Previews(maps, masks))
