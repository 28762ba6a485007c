"""Which mask belongs to which image: by name, as downloads and annotation tools name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

# What the name of a mask has beyond its image's, in the order in which they are looked for.
ENDINGS = ("_mask", "", "_gt", "_label", "_labels", "_seg", "_ground_truth", "-mask", ".mask", "mask", "_m")
BEGINNINGS = ("mask_", "gt_", "label_")
LOOKED_FOR = "NAME_mask, NAME, NAME_gt, NAME_label or mask_NAME, in any image format"


class Paired(NamedTuple):
    """Masks of images (None: none was found), and those that belong to no image."""

    masks: list[Path | None]
    left: list[Path]


def paired(images: Sequence[Path], masks: Iterable[Path]) -> Paired:
    """Pair by names without their suffix, the case of letters aside; an image's own case goes first."""
    by_name: dict[str, Path] = {}
    for mask in masks:
        by_name.setdefault(mask.stem, mask)
    folded = {name.lower(): mask for name, mask in reversed(by_name.items())}
    found = [_mask_of(image.stem, by_name) or _mask_of(image.stem.lower(), folded) for image in images]
    taken = set(found)
    return Paired(found, [mask for mask in masks if mask not in taken])


def is_mask_beside(file: Path, stems: set[str]) -> bool:
    """Say whether an image file is the mask of another one in its folder, whose files have the names ``stems``."""
    return any(
        ending and file.stem.lower().endswith(ending) and file.stem[: -len(ending)] in stems
        for ending in ENDINGS[:-2]
    )


def _mask_of(stem: str, masks: dict[str, Path]) -> Path | None:
    names = (*(stem + ending for ending in ENDINGS), *(beginning + stem for beginning in BEGINNINGS))
    return next((masks[name] for name in names if name in masks), None)
