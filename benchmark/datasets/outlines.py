"""Outlines that annotation tools write, of the images that they are of: COCO's format, and labelme's.

CVAT and Label Studio export COCO's format; labelme writes a JSON for each image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cocoad.base.errors import InputError
from cocoad.coco.outlines import parse_segmentation

UPLOADED = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before a file's name
CIRCLE_POINTS = 64


@dataclass(frozen=True)
class Outlines:
    """The outlines of one image, as COCO has them; sizes in pixels."""

    name: str  # of the image's file
    width: int
    height: int
    segmentations: tuple[Any, ...]

    def is_of(self, name: str) -> bool:
        """Say whether they are those of the image file ``name``."""
        return name == self.name or name == UPLOADED.sub("", self.name, count=1)


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: int
    height: int


class _Annotation(msgspec.Struct):
    image_id: int
    segmentation: msgspec.Raw = msgspec.Raw(b"[]")


class _Coco(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]


class _Shape(msgspec.Struct):
    points: list[tuple[float, float]] = []
    shape_type: str | None = "polygon"
    label: str = ""


class _Labelme(msgspec.Struct, rename="camel"):
    shapes: list[_Shape]
    image_path: str
    image_width: int
    image_height: int


def read_outlines(path: Path) -> tuple[list[Outlines], list[str]]:
    """Read a JSON in COCO's format, or all of labelme's JSON files in a folder; also return what cannot be taken.

    Raises:
        InputError: a file that is neither.
    """
    if path.is_dir():
        return _read_labelme(path)
    try:
        coco = msgspec.json.decode(path.read_bytes(), type=_Coco)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: no annotations in COCO's format ({error})") from None
    by_image: dict[int, list[msgspec.Raw]] = {}
    for annotation in coco.annotations:
        by_image.setdefault(annotation.image_id, []).append(annotation.segmentation)
    problems = [f"{path}: annotations of image {ident}, which is not among its images" for ident in
                sorted(by_image.keys() - {image.id for image in coco.images})]  # fmt: skip
    found = []
    for image in coco.images:
        segmentations, bad = _checked(image, by_image.get(image.id, []))
        problems += [f"{path}: {image.file_name}: {problem}" for problem in bad]
        found.append(Outlines(_file_name(image.file_name), image.width, image.height, segmentations))
    return found, problems


def _checked(image: _Image, raws: Sequence[msgspec.Raw]) -> tuple[tuple[Any, ...], list[str]]:
    found, problems = [], []
    for raw in raws:
        try:
            found.append(parse_segmentation(raw, image.height, image.width))
        except InputError as error:
            problems.append(str(error))
    return tuple(found), problems


def _read_labelme(folder: Path) -> tuple[list[Outlines], list[str]]:
    found, problems = [], []
    for file in sorted(folder.rglob("*.json")):
        try:
            read = msgspec.json.decode(file.read_bytes(), type=_Labelme)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problems.append(f"{file}: not labelme's ({error})")
            continue
        rings = [(shape, _ring(shape)) for shape in read.shapes]
        problems += [
            f"{file}: a shape of the type {shape.shape_type} has no area: draw it as a polygon"
            for shape, ring in rings
            if ring is None
        ]
        segmentations = tuple([ring] for _, ring in rings if ring is not None)
        found.append(
            Outlines(_file_name(read.image_path), read.image_width, read.image_height, segmentations)
        )
    return found, problems


def _ring(shape: _Shape) -> list[float] | None:
    """Return a shape's outline as x, y, x, y …; None where it has no area, or is of a kind that is not known."""
    points = shape.points
    if shape.shape_type in ("polygon", None) and len(points) > 2:
        corners = points
    elif shape.shape_type == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    elif shape.shape_type == "circle" and len(points) == 2:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        angles = [2 * math.pi * step / CIRCLE_POINTS for step in range(CIRCLE_POINTS)]
        corners = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
    else:
        return None
    return [float(number) for corner in corners for number in corner]


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
