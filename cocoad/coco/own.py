"""A partition of one's own: a file that names splits and what each holds out, applied to a file's categories."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes
from cocoad.coco.partition import Category, Partition, PartitionSet

MAX_SPLITS = 1000
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$(?!\n)")]


class SplitPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A split: its name, and what it holds out, by category and by supercategory."""

    name: Slug
    held_out: list[str] = []
    supercategories: list[str] = []


class PartitionPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file given to ``--partition``.

    ``splits`` may be ``one-vs-rest``, a split for each category, or ``supercategories``, one for each of those.
    """

    name: Slug
    splits: list[SplitPlan] | Literal["one-vs-rest", "supercategories"]


def read_plan(path: Path) -> PartitionPlan:
    """Read a partition file, YAML or JSON.

    Raises:
        InputError: it is missing or not one, or calls itself COCO-AD.
    """
    import yaml

    try:
        value = yaml.safe_load(path.read_bytes())
        plan = msgspec.convert(value, type=PartitionPlan)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        raise InputError(f"{path}: not a partition: {' '.join(str(error).split())}") from None
    if plan.name.replace("_", "-").replace(".", "-").startswith("coco-ad"):
        raise InputError(f"{path}: {plan.name!r} is COCO-AD's name: give another one")
    return plan


def partition_set(
    plan: PartitionPlan, path: Path, categories: tuple[Category, ...], supercategories: Mapping[int, str]
) -> PartitionSet:
    """Apply a plan to the categories of annotation files.

    Args:
        categories: of the files, ascending by id.
        supercategories: by category id.

    Raises:
        InputError: it names what the files do not have, a split holds out nothing, or names occur twice.
    """
    by_name = {category.name: category for category in categories}
    if len(by_name) < len(categories):
        raise InputError(
            f"{path}: several categories of the annotations have one name: partitions go by names"
        )
    if plan.splits == "one-vs-rest":
        splits = [SplitPlan(_slug(category.name), [category.name]) for category in categories]
    elif plan.splits == "supercategories":
        names = sorted({supercategories.get(c.id, "") for c in categories} - {""})
        splits = [SplitPlan(_slug(name), supercategories=[name]) for name in names]
    else:
        splits = plan.splits
    if not splits or len(splits) > MAX_SPLITS:
        raise InputError(f"{path}: {len(splits)} splits: 1 to {MAX_SPLITS} are taken")
    if len({split.name for split in splits}) < len(splits):
        raise InputError(f"{path}: two splits have one name")
    found = []
    for number, split in enumerate(splits):
        _check_names(path, split, by_name.keys(), set(supercategories.values()))
        chosen = tuple(
            c
            for c in categories
            if c.name in split.held_out or supercategories.get(c.id) in split.supercategories
        )
        if not chosen:
            raise InputError(f"{path}: split {split.name!r} holds out nothing")
        rest = tuple(category for category in categories if category not in chosen)
        found.append(Partition(number, chosen, rest, name=split.name))
    return PartitionSet(plan.name, categories, tuple(found), digest(categories, found))


def digest(categories: tuple[Category, ...], splits: list[Partition]) -> str:
    """Return the SHA-256 that tells one partition from another: of the categories, and each split's held out."""
    held_out = [[split.name, [category.id for category in split.held_out]] for split in splits]
    return sha256_bytes(msgspec.json.encode([categories, held_out]))


def _check_names(path: Path, split: SplitPlan, names: Set[str], supercategories: set[str]) -> None:
    for kind, wanted, there in (
        ("category", split.held_out, names),
        ("supercategory", split.supercategories, supercategories),
    ):
        if unknown := [name for name in wanted if name not in there]:
            known = ", ".join(sorted(there)[:10])
            raise InputError(
                f"{path}: split {split.name!r}: the annotations have no {kind} {unknown[0]!r} (there is {known})"
            )


def _slug(name: str) -> str:
    kept = "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in name.casefold())
    return kept.strip("-")[:64] or "unnamed"
