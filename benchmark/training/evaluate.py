"""Scoring a test set: maps stream into the metrics and are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmark.datasets.samples import Sample
from benchmark.methods.base import Method
from benchmark.metrics import Evaluator
from benchmark.outputs import ImageScore, Previews, shrink
from cocoad.errors import CocoadError

TestSet = Dataset[tuple[int, torch.Tensor, torch.Tensor]]


@torch.inference_mode()
def evaluate(
    method: Method,
    images: TestSet,
    samples: Sequence[Sample],
    *,
    batch_size: int,
    device: torch.device,
    workers: int,
    on_batch: Callable[[int], None],
) -> tuple[Evaluator, list[ImageScore], Previews]:
    """Score ``images`` (index, pixels, mask) of ``samples``; return the metrics' state, image scores and previews.

    Raises:
        CocoadError: the method gave a map that is not finite.
    """
    method.eval()
    evaluator = Evaluator(protocols=("ader", "exact"))
    scores, maps_small, masks_small = [], [], []
    for indices, pixels, masks in DataLoader(images, batch_size, num_workers=workers):
        chosen = [samples[index] for index in indices.tolist()]
        maps = method.anomaly_maps(pixels.to(device).float() / 255).float()
        if not torch.isfinite(maps).all():
            raise CocoadError(f"the method gave a map that is not finite, near {chosen[0].id}")
        image_scores = method.image_scores(maps).cpu().numpy()
        evaluator.update(
            maps,
            masks.numpy() if device.type == "cpu" else masks.to(device),
            labels=np.array([sample.label for sample in chosen]),
            image_scores=image_scores,
            classes=[sample.class_name for sample in chosen],
            groups=[sample.groups for sample in chosen],
        )
        for sample, score in zip(chosen, image_scores, strict=True):
            row = (sample.id, str(sample.image), sample.class_name, sample.label, float(score), sample.groups)
            scores.append(ImageScore(*row))
        maps_small.append(shrink(maps.cpu().numpy()))
        masks_small.append(shrink(masks.numpy()))
        on_batch(len(chosen))
    return evaluator, scores, Previews(np.concatenate(maps_small), np.concatenate(masks_small) > 0.5)
