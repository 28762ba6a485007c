"""Datasets: every layout on disk becomes the same list of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.datasets.built import is_built, read_built
from benchmark.datasets.folder import is_folder, read_folder
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.errors import InputError

LAYOUTS = ("built", "folder")

__all__ = ["LAYOUTS", "AnomalyDataset", "Sample", "load_dataset"]


def load_dataset(
    path: Path,
    *,
    layout: str | None = None,
    split: int | None = 0,
    classes: Sequence[str] = (),
    coco_root: Path | None = None,
) -> AnomalyDataset:
    """Read a dataset, recognising its layout unless it is named; ``classes`` picks some of its classes.

    Raises:
        InputError: no such directory, no layout that this bench knows, or a dataset that contradicts itself.
    """
    if not path.is_dir():
        raise InputError(f"no dataset at {path}: build one with `cocoad build`, or give --dataset DIR")
    if layout not in (None, *LAYOUTS):
        raise InputError(f"no layout {layout!r}: there are {', '.join(LAYOUTS)}")
    if layout == "built" or (layout is None and is_built(path)):
        dataset = read_built(path, 0 if split is None else split, coco_root)
    elif layout == "folder" or is_folder(path):
        dataset = read_folder(path)
    else:
        raise InputError(
            f"{path} is neither a built COCO-AD (dataset.json) nor a folder like MVTec AD ([CLASS/]train/good)"
        )
    if not classes:
        return dataset
    if unknown := set(classes) - set(dataset.classes):
        raise InputError(f"{path} has no class {sorted(unknown)}: it has {', '.join(dataset.classes)}")
    train = tuple(sample for sample in dataset.train if sample.class_name in classes)
    test = tuple(sample for sample in dataset.test if sample.class_name in classes)
    return replace(dataset, train=train, test=test)
