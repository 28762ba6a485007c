"""COCO's categories, and the four class partitions of COCO-AD, read from ``splits/``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import msgspec

SPLITS = (0, 1, 2, 3)
CategoryId = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Category(msgspec.Struct, frozen=True):
    """A category: its id (in COCO 1 … 90) and name."""

    id: CategoryId
    name: str


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
    official: Counts = Counts(0, 0, 0)  # zeros for a partition of one's own, which has none
    confirmed: bool = False  # whether the public logs confirm the published test counts (not so for split 2)
    name: str = ""  # of a partition of one's own


class PartitionSet(msgspec.Struct, frozen=True):
    """The splits of a benchmark; ``sha256`` is None for COCO-AD's own four."""

    name: str
    categories: tuple[Category, ...]
    splits: tuple[Partition, ...]
    sha256: str | None = None

    def numbers(self) -> tuple[int, ...]:
        """The numbers of the splits, from 0."""
        return tuple(range(len(self.splits)))


def data_file(name: str) -> Path:
    """Return a file of ``splits/``, which the package holds as ``cocoad/splits``."""
    return Path(__file__).parents[1] / "splits" / name


@functools.cache
def partition(split: int) -> Partition:
    """Return the partition of split 0 … 3."""
    return msgspec.json.decode(data_file(f"split_{split}.json").read_bytes(), type=Partition)


@functools.cache
def coco_ad() -> PartitionSet:
    """Return COCO-AD's four partitions."""
    return PartitionSet("coco-ad", categories(), tuple(map(partition, SPLITS)))


@functools.cache
def categories() -> tuple[Category, ...]:
    """Return the 80 COCO categories, ascending by id (index 0 … 79 in the paper's partition)."""
    first = partition(0)
    return tuple(sorted(first.held_out + first.normal, key=lambda category: category.id))
