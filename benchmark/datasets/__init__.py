"""Datasets: every layout on disk becomes the same list of samples."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.built import built_splits, is_built, read_built
from benchmark.datasets.catalogue import name_of
from benchmark.datasets.folder import (
    is_folder,
    is_photos,
    is_uni_medical,
    read_folder,
    read_photos,
    read_uni_medical,
    what_lies_in,
)
from benchmark.datasets.identity import with_classes
from benchmark.datasets.mvtec_3d import is_mvtec_3d, read_mvtec_3d
from benchmark.datasets.official import is_meta, is_official, official_splits, read_meta, read_official
from benchmark.datasets.real_iad import (
    is_real_iad,
    is_real_iad_of_one_view,
    read_real_iad,
    read_real_iad_of_one_view,
)
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.visa import is_visa, read_visa
from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS


class How(NamedTuple):
    """How to read a dataset, as far as its layout leaves a choice."""

    split: int = 0  # of COCO-AD
    coco_root: Path | None = None
    test_share: float | None = (
        None  # of the normal images, drawn to test on where the dataset does not say which
    )


Reader = Callable[[Path, How], AnomalyDataset]


class Layout(NamedTuple):
    """A way in which a dataset lies on disk."""

    name: str
    known_by: str
    recognise: Callable[[Path], bool]
    read: Reader
    splits: Callable[[Path], list[int]] = lambda path: []  # that a dataset has; none: it is not split


def _whole(read: Callable[[Path], AnomalyDataset]) -> Reader:
    """Make a reader of a dataset that has no splits."""
    return lambda path, how: read(path)


def _split(read: Callable[[Path, int, Path | None], AnomalyDataset]) -> Reader:
    return lambda path, how: read(path, how.split, how.coco_root)


def _drawn(read: Callable[[Path, float | None], AnomalyDataset]) -> Reader:
    return lambda path, how: read(path, how.test_share)


REGISTRY = (  # in the order in which they are tried: folders are the most general
    Layout("built", "dataset.json", is_built, _split(read_built), built_splits),
    Layout("official", "meta_20_K.json", is_official, _split(read_official), official_splits),
    Layout("meta", "meta.json", is_meta, _whole(read_meta)),
    Layout("visa", "split_csv/1cls.csv", is_visa, _whole(read_visa)),
    Layout("real-iad", "CLASS.json and CLASS/", is_real_iad, _whole(read_real_iad)),
    Layout(
        "real-iad-sv",
        "realiad_jsons_sv/CLASS.json",
        is_real_iad_of_one_view,
        _whole(read_real_iad_of_one_view),
    ),
    Layout("mvtec-3d", "[CLASS/]train/good/rgb", is_mvtec_3d, _whole(read_mvtec_3d)),
    Layout("uni-medical", "{brain,liver,retinal}/train/good", is_uni_medical, _drawn(read_uni_medical)),
    Layout("folder", "[CLASS/]train/good and test", is_folder, _drawn(read_folder)),
    Layout("photos", "[CLASS/]good", is_photos, _drawn(read_photos)),
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
    test_share: float | None = None,
) -> AnomalyDataset:
    """Read a dataset, recognising its layout unless it is named; ``classes`` picks some of its classes.

    ``test_share`` of the normal images are drawn to test on where the dataset does not say which.

    Raises:
        InputError: no such directory, no layout that this bench knows, or a dataset that contradicts itself.
    """
    dataset = layout_of(path, layout).read(path, How(split or 0, coco_root, test_share))
    if not classes or set(classes) == set(dataset.classes):
        return dataset
    if unknown := set(classes) - set(dataset.classes):
        raise InputError(f"{path} has no class {sorted(unknown)}: it has {', '.join(dataset.classes)}")
    return with_classes(dataset, classes)


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
    if (path / "annotations").is_dir() and any((path / "annotations").glob("instances_*.json")):
        raise InputError(
            f"{path} is COCO itself: build the dataset first, `cocoad build --coco-root {shlex.quote(str(path))}`"
        )
    known = ", ".join(f"{entry.name} ({entry.known_by})" for entry in REGISTRY)
    raise InputError(f"{path} has none of the layouts that are known, {known}: {what_lies_in(path)}")


def splits_meant(path: Path, layout: str | None, asked: Sequence[int]) -> Sequence[int]:
    """Return the splits that were asked for: of a dataset with other splits than COCO-AD's, all mean its own.

    Raises:
        InputError: as `layout_of`.
    """
    if set(asked) != set(SPLITS):
        return asked
    return layout_of(path, layout).splits(path) or asked


@functools.cache
def known_as(path: Path, layout: str | None = None) -> str | None:
    """Return which dataset of the field lies in ``path``, by its layout and its folders' names; None: none of them.

    Nothing is read: what cannot be told apart yet is told when the dataset is loaded.
    """
    try:
        found = layout_of(path, layout)
    except InputError:  # which is said when the dataset is loaded
        return None
    folders = [entry.name for entry in path.iterdir() if entry.is_dir()]
    return name_of(found.name, folders) or name_of(found.name, [path.resolve().name])
