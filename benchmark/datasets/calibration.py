"""Normal images held out of training, whose scores are those of images that a method has not seen."""

from __future__ import annotations

from dataclasses import replace

from benchmark.datasets.drawing import drawn
from benchmark.datasets.samples import AnomalyDataset
from cocoad.base.errors import InputError


def held_out(dataset: AnomalyDataset, share: float, seed: int) -> AnomalyDataset:
    """Return ``dataset`` with ``share`` of its training images (at least one) held out; 0: as it is.

    Which ones hangs on their ids and the seed. The hashes stay those of the whole: it is the same data.

    Raises:
        InputError: none would be left to train on.
    """
    if not share:
        return dataset
    chosen = drawn([sample.id for sample in dataset.train], share, seed)
    train = tuple(sample for sample in dataset.train if sample.id not in chosen)
    if not train:
        raise InputError(
            f"{dataset.name}: of {len(dataset.train)} normal images a share of {share:g} held out leaves none to "
            "train on: give a smaller --calibration-share"
        )
    return replace(
        dataset, train=train, calibration=tuple(sample for sample in dataset.train if sample.id in chosen)
    )
