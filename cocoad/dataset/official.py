"""The official layout of COCO-AD, which ADer and the code derived from it read: its names, in one place.

A COCO root holds, for each split K, ``meta_20_K.json`` (`MetaFile`) and ``val2017_mask_ad_20_K/``, an 8-bit PNG of 0
and 255 for each anomalous test image. Paths are relative to the COCO root.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

LAYOUT = "official"
UNFINISHED = ".official-export.unfinished"  # what an export is about to write; gone when it has
CLASS = "coco"  # what the layout calls its only class
_IMAGE = r"(?:.*/)?([0-9]{1,12})\.[A-Za-z]+"
_META = re.compile(r"meta_20_([0-9])\.json")


class ListedImage(msgspec.Struct, frozen=True):
    """One image; an anomalous one (1) names its mask, a normal one nothing."""

    img_path: Annotated[str, msgspec.Meta(pattern=rf"^{_IMAGE}$")]
    mask_path: str | None
    cls_name: Literal["coco"]
    specie_name: str
    anomaly: Literal[0, 1]


class Part(msgspec.Struct, frozen=True):
    """The training or the test images, by class."""

    coco: list[ListedImage]


class MetaFile(msgspec.Struct, frozen=True):
    """``meta_20_K.json``."""

    train: Part
    test: Part


def meta_file(split: int) -> str:
    """Return the name of a split's list of images."""
    return f"meta_20_{split}.json"


def mask_folder(split: int) -> str:
    """Return the name of the folder of a split's masks."""
    return f"val2017_mask_ad_20_{split}"


def mask_name(image_id: int) -> str:
    """Return a mask's file name."""
    return f"{image_id:012d}.png"


def splits_in(directory: Path) -> list[int]:
    """Return the numbers of the splits that ``directory`` lists in this layout, ascending."""
    names = (_META.fullmatch(path.name) for path in directory.glob("meta_20_*.json"))
    return sorted(int(name[1]) for name in names if name)


def image_id(image: str) -> int | None:
    """Return the id that an image's path carries, by which alone this layout knows it; None without one."""
    found = re.fullmatch(_IMAGE, image)
    return int(found[1]) if found else None
