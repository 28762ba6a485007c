"""What a built dataset consists of: per split and per held-out category, how much and how large."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cocoad.base.console import plain_table
from cocoad.base.errors import InputError
from cocoad.base.files import open_atomic, sha256_bytes
from cocoad.coco.annotations import Annotations, parse_annotations
from cocoad.coco.instances import read_bytes
from cocoad.coco.layout import find_recorded
from cocoad.dataset.images import find_coco_root
from cocoad.dataset.manifest import (
    COCO_ROOT_VARIABLE,
    DATASET_FILE,
    DatasetManifest,
    SplitManifest,
    read_dataset,
    read_split,
)
from cocoad.dataset.membership import membership

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SMALL, MEDIUM = 32**2, 96**2  # pixels: COCO's limits of small and medium areas


class Sizes(msgspec.Struct, frozen=True):
    """How many are small (< 32² pixels), medium (< 96²) and large."""

    small: int
    medium: int
    large: int


class CategoryStats(msgspec.Struct, frozen=True):
    """A held-out category among the anomalous test images; the rest is None where annotations are not at hand.

    ``share`` is the sum of the instances' areas, as COCO states them, over all test pixels.
    """

    name: str
    images: int
    instances: int | None
    share: float | None
    instance_sizes: Sizes | None


class SplitStats(msgspec.Struct, frozen=True):
    """A split; the share is of all test pixels, and of the anomalous images' own; sizes are of whole masks."""

    split: int
    train_normal: int
    test_normal: int
    test_anomalous: int
    anomalous_share: float
    anomalous_share_in_anomalous: float
    mask_sizes: Sizes
    categories: list[CategoryStats]


def dataset_stats(
    directory: Path,
    coco_root: Path | None = None,
    *,
    val_annotations: Path | None = None,
    note: Callable[[str], object] = lambda what: None,
) -> list[SplitStats]:
    """Return the statistics of a built dataset's splits.

    Args:
        directory: a built dataset.
        coco_root: where the annotations are; None: as the build left it.
        val_annotations: where val2017's are, if not under ``coco_root``.
        note: is told why instances are not counted.

    Raises:
        InputError: it is no built dataset, a file of it was changed, or a root or file that was given is none.
    """
    manifest = read_dataset(directory)
    read = _annotations(directory, manifest, coco_root, val_annotations)
    annotations = read if isinstance(read, Annotations) else None
    if isinstance(read, str):
        note(f"instances are not counted: {read}")
    found = []
    for name in sorted(manifest.splits):
        split = read_split(directory, int(name))
        instances: dict[int, list[float]] = {}
        if annotations is not None:
            held_out = membership(annotations, split.held_out, manifest.options).held_out
            kinds = annotations.annotation_category_ids[held_out]
            areas = annotations.annotation_areas[held_out]
            instances = {c.id: areas[kinds == c.id].tolist() for c in split.held_out}
        found.append(_split_stats(split, instances if annotations is not None else None))
    return found


def _annotations(
    directory: Path, manifest: DatasetManifest, coco_root: Path | None, given: Path | None
) -> Annotations | str:
    """Return the val2017 annotations that the dataset was built from, or why they are not at hand."""
    recorded = manifest.inputs.get("val")
    if recorded is None:
        return f"{directory / DATASET_FILE} does not say what the dataset was built from"
    try:
        path = given or find_recorded(find_coco_root(directory, coco_root), "val", recorded.name)
    except InputError as error:
        if coco_root is not None or os.environ.get(COCO_ROOT_VARIABLE):
            raise
        return str(error)
    if given is None and not path.is_file():
        return f"there is no {path}"
    data = read_bytes(path)
    if sha256_bytes(data) != recorded.sha256:
        return f"{path} is not what the dataset was built from"
    return parse_annotations(data, path, segmentations=False, own_categories=manifest.partition is not None)


def _split_stats(split: SplitManifest, areas: Mapping[int, Sequence[float]] | None) -> SplitStats:
    """Put a split's statistics together; ``areas`` are those of each category's instances, in pixels."""
    anomalous = [sample for sample in split.test if sample.label]
    images = Counter(category for sample in anomalous for category in sample.categories)
    pixels = sum(sample.anomalous_pixels for sample in anomalous)
    everywhere, there = (sum(s.width * s.height for s in samples) for samples in (split.test, anomalous))
    return SplitStats(
        split=split.split,
        train_normal=len(split.train),
        test_normal=len(split.test) - len(anomalous),
        test_anomalous=len(anomalous),
        anomalous_share=pixels / everywhere if everywhere else 0.0,
        anomalous_share_in_anomalous=pixels / there if there else 0.0,
        mask_sizes=_sizes([sample.anomalous_pixels for sample in anomalous]),
        categories=[
            CategoryStats(
                category.name,
                images[category.id],
                None if areas is None else len(areas[category.id]),
                None if areas is None or not everywhere else sum(areas[category.id]) / everywhere,
                None if areas is None else _sizes(areas[category.id]),
            )
            for category in split.held_out
        ],
    )


def _sizes(areas: Sequence[float]) -> Sizes:
    small, medium, large = np.histogram(areas, [0, SMALL, MEDIUM, np.inf])[0].tolist()
    return Sizes(small, medium, large)


def tables(stats: Sequence[SplitStats]) -> list[RenderableType]:
    """Return the statistics as tables: one of the splits, and one of each split's held-out categories."""
    shares = ("Anomalous pixels, %", "… in anomalous images, %")
    splits = _table("Split", "Train", "Test normal", "Test anomalous", *shares, "Small", "Medium", "Large")
    for each in stats:
        counts = (each.train_normal, each.test_normal, each.test_anomalous)
        percent = (100 * each.anomalous_share, 100 * each.anomalous_share_in_anomalous)
        sizes = msgspec.structs.astuple(each.mask_sizes)
        splits.add_row(
            str(each.split),
            *map("{:,}".format, counts),
            *map("{:.2f}".format, percent),
            *map("{:,}".format, sizes),
        )
    shown: list[RenderableType] = [splits]
    for each in stats:
        headings = ("Images", "Instances", "Pixels, %", "Small", "Medium", "Large")
        table = _table(f"Held out in split {each.split}", *headings)
        for category in each.categories:
            sizes = (
                msgspec.structs.astuple(category.instance_sizes) if category.instance_sizes else (None,) * 3
            )
            counts = (category.images, category.instances, *sizes)
            row = ["–" if count is None else f"{count:,}" for count in counts]
            row.insert(2, "–" if category.share is None else f"{100 * category.share:.2f}")
            table.add_row(category.name, *row)
        shown.append(table)
    return shown


def _table(*headings: str) -> Table:
    table = plain_table()
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def write_figure(stats: Sequence[SplitStats], path: Path) -> None:
    """Draw the anomalous images of each held-out category, and the sizes of the masks, as a PNG.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InputError(
            "--figure needs an extra: pip install '.[figures]' in a clone of the repository"
        ) from None

    figure = Figure(figsize=(4 * len(stats) + 0.5, 7.5), layout="constrained")
    rows = figure.subplots(2, len(stats), squeeze=False, height_ratios=[4, 1])
    for column, each in enumerate(stats):
        bars, sizes = rows[0][column], rows[1][column]
        ordered = sorted(each.categories, key=lambda category: category.images)
        bars.barh(
            [category.name for category in ordered],
            [category.images for category in ordered],
            color="#0072B2",
        )
        total = each.test_normal + each.test_anomalous
        bars.set_title(
            f"Split {each.split}: {each.test_anomalous:,} of {total:,} test images anomalous\n"
            f"with {100 * each.anomalous_share:.1f} % of all test pixels",
            fontsize=10,
        )
        bars.set_xlabel("images with the category")
        counts = msgspec.structs.astuple(each.mask_sizes)
        sizes.bar(["small\n< 32²", "medium\n< 96²", "large"], counts, color=["#56B4E9", "#009E73", "#D55E00"])
        sizes.set_ylabel("masks")
        for axes in (bars, sizes):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
    with open_atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
