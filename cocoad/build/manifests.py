"""The JSON files of a built dataset, from what a build has read and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cocoad import __version__
from cocoad.base.files import sha256_bytes
from cocoad.build.draw import DrawnMasks, by_image
from cocoad.coco.annotations import Annotations
from cocoad.coco.partition import Counts, PartitionSet
from cocoad.dataset.manifest import (
    DATASET_FILE,
    FORMAT_VERSION,
    OWN_FORMAT_VERSION,
    BuildOptions,
    DatasetManifest,
    InputFile,
    OwnPartition,
    OwnSplit,
    SplitManifest,
    SplitSummary,
    TestSample,
    TrainSample,
    encode,
    mask_path,
    split_file,
)
from cocoad.dataset.membership import Membership

Inputs = dict[Literal["train", "val"], InputFile]


@dataclass(frozen=True, eq=False)
class Part:
    """The train or the val images, and who of them belongs to which split."""

    folder: str  # what begins their paths in the dataset
    annotations: Annotations
    members: dict[int, Membership]


@dataclass(frozen=True, eq=False)
class Built:
    """What a build made, or counted."""

    train: Part
    val: Part
    partitions: PartitionSet
    notes: list[str]
    masks: int = 0
    hashes: Mapping[str, str] = field(
        default_factory=dict
    )  # the SHA-256 of each image by its path; {}: not asked for

    def counts(self, split: int) -> Counts:
        """Return a split's numbers of images."""
        in_train, in_val = self.train.members[split], self.val.members[split]
        normal, anomalous = in_train.member & ~in_train.anomalous, int(in_val.anomalous.sum())
        return Counts(int(normal.sum()), int(in_val.member.sum()) - anomalous, anomalous)


def write_manifests(
    staging: Path, built: Built, drawn: DrawnMasks, inputs: Inputs, options: BuildOptions
) -> None:
    """Write ``dataset.json`` and each split's file."""
    partitions = built.partitions
    version = FORMAT_VERSION if partitions.sha256 is None and not built.hashes else OWN_FORMAT_VERSION
    manifest = DatasetManifest(
        format="cocoad-dataset",
        format_version=version,
        tool_version=__version__,
        options=options,
        inputs=inputs,
        splits={str(k): _write_split(staging, k, built, drawn, version) for k in built.train.members},
        notes=built.notes,
        partition=_described(partitions),
    )
    (staging / DATASET_FILE).write_bytes(encode(manifest))


def _described(partitions: PartitionSet) -> OwnPartition | None:
    if partitions.sha256 is None:
        return None
    splits = [
        OwnSplit(split.name, [category.id for category in split.held_out]) for split in partitions.splits
    ]
    return OwnPartition(partitions.name, partitions.sha256, list(partitions.categories), splits)


def _write_split(
    staging: Path, split: int, built: Built, drawn: DrawnMasks, version: Literal[1, 2]
) -> SplitSummary:
    members, partition = built.train.members[split], built.partitions.splits[split]
    manifest = SplitManifest(
        format="cocoad-split",
        format_version=version,
        split=split,
        held_out=list(partition.held_out),
        train=[
            TrainSample(*image, built.hashes.get(image[1]))
            for image in _images(built.train, members.member & ~members.anomalous)
        ],
        test=_test_samples(split, built.val, drawn, built.hashes),
        name=partition.name,
    )
    data = encode(manifest)
    (staging / split_file(split)).write_bytes(data)
    counts = built.counts(split)
    equal = counts == partition.official
    return SplitSummary(
        counts.train_normal, counts.test_normal, counts.test_anomalous, equal, sha256_bytes(data)
    )


def _images(part: Part, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, str, int, int]]:
    """Yield id, path, width and height of the chosen images, ascending by id."""
    columns = part.annotations
    names = (f"{part.folder}/{name}" for name in columns.file_names[chosen].tolist())
    sizes = columns.widths[chosen].tolist(), columns.heights[chosen].tolist()
    return zip(columns.image_ids[chosen].tolist(), names, *sizes, strict=True)


def _test_samples(split: int, val: Part, drawn: DrawnMasks, hashes: Mapping[str, str]) -> list[TestSample]:
    columns, members = val.annotations, val.members[split]
    present: dict[int, tuple[int, ...]] = {}
    for indices in by_image(columns.annotation_rows, members.held_out):
        held_out = np.unique(columns.annotation_category_ids[indices])
        present[int(columns.annotation_rows[indices[0]])] = tuple(held_out.tolist())
    samples = []
    rows = np.flatnonzero(members.member).tolist()
    for row, image in zip(rows, _images(val, members.member), strict=True):
        mask, digest = drawn.get((split, row)), hashes.get(image[1])
        if mask is None:
            samples.append(TestSample(*image, label=0, image_sha256=digest))
        else:
            path = mask_path(split, image[0])
            samples.append(TestSample(*image, 1, path, mask.sha256, present[row], mask.pixels, digest))
    return samples
