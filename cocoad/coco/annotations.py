"""COCO's instances JSON → columns (numpy arrays): the only place that parses COCO.

`cocoad.coco.instances` makes rows of the file; here they become columns, and are checked against each other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.coco.faults import Faults
from cocoad.coco.instances import CategoryRow, ImageRow, Instances, decode_instances, read_bytes
from cocoad.coco.outlines import MAX_IMAGE_PIXELS, Segmentation, parse_segmentation
from cocoad.coco.partition import Category, categories

Ids: TypeAlias = NDArray[np.int64]

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, eq=False)
class Annotations:
    """One instances file as checked columns: N images ascending by id, M annotations in the file's order.

    Attributes:
        name: the file's name, for messages.
        image_ids, widths, heights: int64 (N,); sizes in pixels, positive.
        file_names: N strings, safe to join to a root.
        supercategories: of the categories, by id, where the file names them.
        categories: those of the file, ascending by id: COCO's 80 unless others were asked for.
        annotation_ids: M integers, which may be of any length.
        annotation_category_ids: int64 (M,).
        annotation_rows: int64 (M,), the row of each annotation's image in the image columns.
        annotation_is_crowd: bool (M,).
        annotation_areas: float64 (M,), as the file says, in pixels².
        segmentations: M pieces of JSON, which `outline` parses; None when not asked for.
        oddities: what is unusual but taken, in words.
    """

    name: str
    categories: tuple[Category, ...]
    supercategories: dict[int, str]
    image_ids: Ids
    widths: Ids
    heights: Ids
    file_names: NDArray[np.object_]
    annotation_ids: NDArray[np.object_]
    annotation_rows: Ids
    annotation_category_ids: Ids
    annotation_is_crowd: NDArray[np.bool_]
    annotation_areas: NDArray[np.float64]
    segmentations: list[msgspec.Raw] | None
    oddities: tuple[str, ...]

    @property
    def annotation_image_ids(self) -> Ids:
        """The image id of each annotation, int64 (M,)."""
        return self.image_ids[self.annotation_rows]

    def outline(self, index: int, oddities: Counter[str] | None = None) -> Segmentation:
        """Parse the outline of one of M annotations; raise InputError, naming it, when it cannot be drawn."""
        assert self.segmentations is not None
        row = self.annotation_rows[index]
        height, width = int(self.heights[row]), int(self.widths[row])
        try:
            return parse_segmentation(self.segmentations[index], height, width, oddities)
        except InputError as error:
            which = f"annotation {self.annotation_ids[index]} of image {self.image_ids[row]}"
            raise InputError(f"{which}: {error}") from None


def read_annotations(
    path: Path,
    *,
    segmentations: bool,
    folder: str = "",
    own_categories: bool = False,
    faults: Faults | None = None,
) -> Annotations:
    """Read an instances JSON file.

    Args:
        segmentations: keep the outlines, undecoded; else they are skipped.
        folder: the name of the images' folder, which is taken off their names.
        own_categories: take whatever categories the file has, instead of COCO's 80.
        faults: takes all that is wrong with the file; what is left of it is returned.

    Raises:
        InputError: the file is missing; without ``faults``, also: it is not COCO instances, or contradicts itself.
    """
    return parse_annotations(
        read_bytes(path),
        path,
        segmentations=segmentations,
        folder=folder,
        own_categories=own_categories,
        faults=faults,
    )


def parse_annotations(
    data: bytes,
    path: Path,
    *,
    segmentations: bool,
    folder: str = "",
    own_categories: bool = False,
    faults: Faults | None = None,
) -> Annotations:
    """Do as `read_annotations` with the bytes of ``path``, already read."""
    found = Faults()
    rows = decode_instances(data, path, segmentations, found)
    if rows is None:
        rows = Instances([], [], [])
        mapped: dict[int, int] = {}
        known = categories()
    else:
        mapped, known = _categories(path, rows.categories, own_categories, found)
    supercategories = {mapped[row.id]: row.supercategory for row in rows.categories if row.supercategory}
    images = _taken_images(path, rows.images, folder, found)
    annotations: Sequence[Any] = rows.annotations
    columns = _columns(path, images, annotations, mapped, known, supercategories, segmentations, found)
    if faults is None:
        found.refuse()
    else:
        faults.extend(found)
    return columns


def _categories(
    path: Path, rows: Sequence[CategoryRow], own: bool, faults: Faults
) -> tuple[dict[int, int], tuple[Category, ...]]:
    """Return what each of the file's category ids stands for, and the categories."""
    _first_of_each(path, "category", [row.id for row in rows], faults)
    names = {row.id: row.name for row in rows}
    if own:
        listed = {row.id: Category(row.id, row.name) for row in rows}
        return {ident: ident for ident in listed}, tuple(listed[ident] for ident in sorted(listed))
    expected = {category.id: category.name for category in categories()}
    if names == expected:
        return {ident: ident for ident in expected}, categories()
    ids = {_plain(category.name): category.id for category in categories()}
    by_name = {ident: ids.get(_plain(name), -1) for ident, name in names.items()}
    if sorted(by_name.values()) == sorted(expected):
        what = f"{path.name}: categories have other ids than COCO's, and are known by their names"
        faults.add("categories-by-name", str(path), detail=what)
        return by_name, categories()
    for ident, name in names.items():
        if ident not in expected:
            detail = f"category {ident} ({name!r}) is none of COCO's 80"
        elif name != expected[ident]:
            detail = f"category {ident} is {name!r}, in COCO it is {expected[ident]!r}"
        else:
            continue
        faults.add("category-foreign", str(path), ident, detail)
    if absent := sorted(expected.keys() - names.keys()):
        detail = f"{len(absent)} of COCO's 80 categories are absent, first {absent[0]}"
        faults.add_all("category-foreign", str(path), absent, detail)
    return {ident: ident for ident in names}, categories()


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _taken_images(path: Path, rows: list[ImageRow], folder: str, faults: Faults) -> list[ImageRow]:
    """Return the images that can be taken, ascending by id, each id once, with their file's bare name."""
    rows.sort(key=attrgetter("id"))
    first = _first_of_each(path, "image", [row.id for row in rows], faults)
    renamed = 0
    for row in rows:
        if not _SAFE_NAME.fullmatch(row.file_name):
            bare = bare_name(row.file_name, folder)
            renamed += bare != row.file_name
            row.file_name = bare
    if renamed:
        what = f"{path.name}: the file names of {renamed} images have their folder in them, or other signs"
        faults.add("names-with-folder", str(path), detail=what)
    return [row for number, row in enumerate(rows) if first[number] and _is_sound(path, row, faults)]


def bare_name(name: str, folder: str) -> str:
    """Return a file's name below its images' folder: without ``./``, Windows' separators, and that folder itself."""
    plain = name.replace("\\", "/")
    while plain.startswith("./") and len(plain) > 2:
        plain = plain[2:]
    _, found, below = f"/{plain}".rpartition(f"/{folder}/") if folder else ("", "", "")
    return below if found and below else plain


def _is_sound(path: Path, image: ImageRow, faults: Faults) -> bool:
    size = f"({image.width}×{image.height})"
    if image.width <= 0 or image.height <= 0:
        faults.add("image-empty", str(path), image.id, f"image {image.id} has no pixels {size}")
        return False
    if image.width * image.height > MAX_IMAGE_PIXELS:
        detail = f"image {image.id} is too large {size}: at most {MAX_IMAGE_PIXELS} pixels are taken"
        faults.add("image-too-large", str(path), image.id, detail)
        return False
    if not _SAFE_NAME.fullmatch(image.file_name):
        try:
            if inside(path.parent, image.file_name) == path.parent:
                raise InputError("it is the folder itself")
        except InputError:
            detail = (
                f"image {image.id} has the unsafe file_name {image.file_name!r}: "
                "it must be relative and must not leave the image folder"
            )
            faults.add("name-unsafe", str(path), image.id, detail)
            return False
    return True


def _first_of_each(path: Path, what: str, ids: Sequence[int], faults: Faults) -> NDArray[np.bool_]:
    """Say of each id whether it is the first of its kind; note those that occur more than once."""
    first = np.ones(len(ids), bool)
    if len(set(ids)) == len(ids):
        return first
    seen: set[int] = set()
    repeated = []
    for number, ident in enumerate(ids):
        if ident in seen:
            first[number] = False
            repeated.append(ident)
        seen.add(ident)
    detail = f"{what} id {repeated[0]} occurs more than once"
    faults.add_all(f"{what}-twice", str(path), sorted(set(repeated)), detail)
    return first


def _columns(
    path: Path,
    images: list[ImageRow],
    annotations: Sequence[Any],
    mapped: dict[int, int],
    known: tuple[Category, ...],
    supercategories: dict[int, str],
    segmentations: bool,
    faults: Faults,
) -> Annotations:
    image_ids = _column(images, "id")
    annotation_ids = np.array([row.id for row in annotations], dtype=object)
    kept = _first_of_each(path, "annotation", annotation_ids.tolist(), faults)
    of_images = _column(annotations, "image_id")
    rows = np.searchsorted(image_ids, of_images).astype(np.int64)
    listed = np.append(image_ids, -1)[rows] == of_images  # -1 for ids beyond the last; none is negative
    _note_unknown(path, "image", of_images, listed, annotation_ids, faults)
    given = _column(annotations, "category_id")
    file_ids = np.array(sorted(mapped), np.int64)
    at = np.searchsorted(file_ids, given)
    named = np.append(file_ids, -1)[at] == given
    _note_unknown(path, "category", given, named, annotation_ids, faults)
    kept &= listed & named
    meant = np.array([*(mapped[ident] for ident in file_ids.tolist()), -1], np.int64)
    chosen = np.flatnonzero(kept).tolist() if not kept.all() else range(len(kept))
    outlines = [annotations[number].segmentation for number in chosen] if segmentations else None
    names = np.array([image.file_name for image in images], dtype=object)
    if repeated := len(images) - len(set(names.tolist())):
        what = f"{path.name}: {repeated} images share their file with another one"
        faults.add("file-shared", str(path), detail=what)
    areas = np.fromiter(map(attrgetter("area"), annotations), np.float64, len(annotations))
    return Annotations(
        name=path.name,
        categories=known,
        supercategories=supercategories,
        image_ids=image_ids,
        widths=_column(images, "width"),
        heights=_column(images, "height"),
        file_names=names,
        annotation_ids=annotation_ids[kept],
        annotation_rows=rows[kept],
        annotation_category_ids=meant[at][kept],
        annotation_is_crowd=_column(annotations, "iscrowd").astype(bool)[kept],
        annotation_areas=areas[kept],
        segmentations=outlines,
        oddities=tuple(faults.notes()),
    )


def _column(rows: Sequence[Any], field: str) -> Ids:
    return np.fromiter(map(attrgetter(field), rows), np.int64, len(rows))


def _note_unknown(
    path: Path,
    what: str,
    ids: Ids,
    known: NDArray[np.bool_],
    annotation_ids: NDArray[np.object_],
    faults: Faults,
) -> None:
    unknown = np.flatnonzero(~known).tolist()
    if unknown:
        detail = (
            f"{len(unknown)} annotations are of an unknown {what}, "
            f"first annotation {annotation_ids[unknown[0]]} of {what} {ids[unknown[0]]}"
        )
        faults.add_all(f"{what}-unknown", str(path), annotation_ids[unknown].tolist(), detail)
