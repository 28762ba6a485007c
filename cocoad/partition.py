"""The four class partitions of COCO-AD and their official counts, read from ``splits/``."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from cocoad.manifest import Category

SPLITS = (0, 1, 2, 3)


class OfficialCounts(msgspec.Struct, frozen=True):
    """Numbers of images in the published benchmark."""

    train_normal: int
    test_normal: int
    test_anomalous: int


class Partition(msgspec.Struct, frozen=True):
    """One split: its held-out (anomalous) and normal categories, ascending by COCO id."""

    split: int
    held_out: tuple[Category, ...]
    normal: tuple[Category, ...]
    official: OfficialCounts
    confirmed: bool  # False where the published test counts are not confirmed by the public logs (split 2)


def data_file(name: str) -> Path:
    """Return a file of ``splits/``: beside the package in a checkout, inside it (``cocoad/splits``) when installed."""
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
