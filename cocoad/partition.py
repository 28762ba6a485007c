"""The four class partitions of COCO-AD, read from ``splits/``, and who belongs to which part of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.manifest import BuildOptions, Category

if TYPE_CHECKING:
    from cocoad.annotations import Annotations

SPLITS = (0, 1, 2, 3)


class Counts(msgspec.Struct, frozen=True):
    """Numbers of images of one split."""

    train_normal: int
    test_normal: int
    test_anomalous: int


class Partition(msgspec.Struct, frozen=True):
    """One split: its held-out (anomalous) and normal categories, ascending by COCO id."""

    split: int
    held_out: tuple[Category, ...]
    normal: tuple[Category, ...]
    official: Counts
    confirmed: bool  # False where the published test counts are not confirmed by the public logs (split 2)


def data_file(name: str) -> Path:
    """Return a file of ``splits/``: beside the package in a checkout, ``cocoad/splits`` when installed."""
    package = Path(__file__).parent
    installed = package / "splits"
    return (installed if installed.is_dir() else package.parent / "splits") / name


@functools.cache
def partition(split: int) -> Partition:
    """Return the partition of split 0 … 3."""
    return msgspec.json.decode(data_file(f"split_{split}.json").read_bytes(), type=Partition)


@functools.cache
def categories() -> tuple[Category, ...]:
    """Return the 80 COCO categories, ascending by id (index 0 … 79 in the paper's partition)."""
    first = partition(0)
    return tuple(sorted(first.held_out + first.normal, key=lambda category: category.id))


@dataclass(frozen=True, eq=False)
class Membership:
    """Which images of one COCO part (train2017 or val2017) a split may use, as masks over its N image rows.

    Attributes:
        member: bool (N,), the image takes part (it carries an annotation, or ``unannotated`` is ``normal``).
        anomalous: bool (N,), a member that carries an annotation of a held-out category.
        held_out: bool (M,), the annotations that make it so.
    """

    member: NDArray[np.bool_]
    anomalous: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def membership(annotations: Annotations, split: int, options: BuildOptions) -> Membership:
    """Apply the benchmark's rules to one COCO part: train takes its normal members, test all of them."""
    counted = ~annotations.annotation_is_crowd | (options.crowd == "include")
    held_out = counted & np.isin(
        annotations.annotation_category_ids, [c.id for c in partition(split).held_out]
    )
    annotated, anomalous = (np.zeros(len(annotations.image_ids), bool) for _ in range(2))
    annotated[annotations.annotation_rows[counted]] = True
    anomalous[annotations.annotation_rows[held_out]] = True
    member = np.ones_like(annotated) if options.unannotated == "normal" else annotated
    return Membership(member, anomalous, held_out)
