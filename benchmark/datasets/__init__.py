"""Datasets: every layout on disk becomes the same list of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.built import built_splits, is_built, read_built
from benchmark.datasets.folder import (
    is_folder,
    is_mvtec_3d,
    is_uni_medical,
    read_folder,
    read_mvtec_3d,
    read_uni_medical,
)
from benchmark.datasets.official import is_official, official_splits, read_official
from benchmark.datasets.real_iad import is_real_iad, read_real_iad
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.visa import is_visa, read_visa
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes

Reader = Callable[[Path, int, Path | None], AnomalyDataset]  # (directory, split, COCO root)


class Layout(NamedTuple):
    """A way in which a dataset lies on disk."""

    name: str
    known_by: str
    recognise: Callable[[Path], bool]
    read: Reader
    splits: Callable[[Path], list[int]] = lambda path: []  # that a dataset has; none: it is not split


def _whole(read: Callable[[Path], AnomalyDataset]) -> Reader:
    """Make a reader of a dataset that has no splits."""
    return lambda path, split, coco_root: read(path)


REGISTRY = (  # in the order in which they are tried: the folder is the most general
    Layout("built", "dataset.json", is_built, read_built, built_splits),
    Layout("official", "meta_20_K.json", is_official, read_official, official_splits),
    Layout("visa", "split_csv/1cls.csv", is_visa, _whole(read_visa)),
    Layout("real-iad", "CLASS.json and CLASS/", is_real_iad, _whole(read_real_iad)),
    Layout("mvtec-3d", "[CLASS/]train/good/rgb", is_mvtec_3d, _whole(read_mvtec_3d)),
    Layout("uni-medical", "{brain,liver,retinal}/train/good", is_uni_medical, _whole(read_uni_medical)),
    Layout("folder", "[CLASS/]train/good", is_folder, _whole(read_folder)),
)
LAYOUTS = tuple(layout.name for layout in REGISTRY)

__all__ = ["LAYOUTS", "REGISTRY", "AnomalyDataset", "Layout", "Sample", "layout_of", "load_dataset"]


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
    dataset = layout_of(path, layout).read(path, 0 if split is None else split, coco_root)
    if not classes or set(classes) == set(dataset.classes):
        return dataset
    if unknown := set(classes) - set(dataset.classes):
        raise InputError(f"{path} has no class {sorted(unknown)}: it has {', '.join(dataset.classes)}")
    train = tuple(sample for sample in dataset.train if sample.class_name in classes)
    test = tuple(sample for sample in dataset.test if sample.class_name in classes)
    digest = sha256_bytes("\n".join((dataset.hash, *sorted(set(classes)))).encode())
    return replace(
        dataset, hash=digest, train=train, test=test, of_classes=dataset.classes, of_hash=dataset.hash
    )


def layout_of(path: Path, layout: str | None = None) -> Layout:
    """Return the layout of a dataset: the one named, or the first that fits.

    Raises:
        InputError: no such directory or layout, or none that this bench knows.
    """
    if not path.is_dir():
        raise InputError(f"no dataset at {path}: build one with `cocoad build`, or give --dataset DIR")
    if layout not in (None, *LAYOUTS):
        raise InputError(f"no layout {layout!r}: there are {', '.join(LAYOUTS)}")
    for entry in REGISTRY:
        if entry.recognise(path) if layout is None else entry.name == layout:
            return entry
    known = ", ".join(f"{entry.name} ({entry.known_by})" for entry in REGISTRY)
    raise InputError(f"{path} has none of the layouts that are known: {known}")
