"""COCO's instances JSON → columns (numpy arrays): the only place that parses COCO.

The files are read by typed decoding of the few fields that the benchmark needs; everything else, the polygons
of train2017 above all, is skipped by the parser without being built.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.coco.outlines import MAX_IMAGE_PIXELS, Segmentation, parse_segmentation
from cocoad.coco.partition import categories

Ids: TypeAlias = NDArray[np.int64]

_Id = Annotated[int, msgspec.Meta(ge=0, le=10**12 - 1)]  # a mask's file name has 12 digits
_Side = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]  # so that a product of two fits 64 bits
_Area = Annotated[float, msgspec.Meta(ge=0, le=2**62)]  # so that the sum of all is finite
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, eq=False)
class Annotations:
    """One instances file as checked columns: N images ascending by id, M annotations in the file's order.

    Attributes:
        name: the file's name, for messages.
        image_ids, widths, heights: int64 (N,); sizes in pixels, positive.
        file_names: N strings, safe to join to a root.
        annotation_ids, annotation_category_ids: int64 (M,).
        annotation_rows: int64 (M,), the row of each annotation's image in the image columns.
        annotation_is_crowd: bool (M,).
        annotation_areas: float64 (M,), as the file says, in pixels².
        segmentations: M pieces of JSON, which `outline` parses; None when not asked for.
        oddities: what is unusual but taken, in words.
    """

    name: str
    image_ids: Ids
    widths: Ids
    heights: Ids
    file_names: NDArray[np.object_]
    annotation_ids: Ids
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
            raise InputError(f"{self.name}: {which}: {error}") from None


class _Image(msgspec.Struct, gc=False):
    id: _Id
    file_name: str
    width: _Side
    height: _Side


class _Annotation(msgspec.Struct, gc=False):
    id: _Id
    image_id: _Id
    category_id: _Id
    iscrowd: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    area: _Area = 0.0


class _Segmented(_Annotation, gc=False, kw_only=True):
    segmentation: msgspec.Raw


class _Category(msgspec.Struct):
    id: _Id
    name: str


class _Instances(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


class _SegmentedInstances(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Segmented]
    categories: list[_Category]


def read_annotations(path: Path, *, segmentations: bool) -> Annotations:
    """Read an instances JSON file; ``segmentations`` keeps the outlines, undecoded; else they are skipped.

    Raises:
        InputError: the file is missing, is not COCO instances, or contradicts itself.
    """
    return parse_annotations(read_bytes(path), path, segmentations=segmentations)


def read_bytes(path: Path) -> bytes:
    """Read a whole annotation file; raise InputError when there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} is missing: it is in COCO's annotations_trainval2017.zip") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a directory, not an annotation file") from None


def parse_annotations(data: bytes, path: Path, *, segmentations: bool) -> Annotations:
    """Do as `read_annotations` with the bytes of ``path``, already read."""
    kind = _SegmentedInstances if segmentations else _Instances
    decoded = _decode(data, path, kind)
    _check_categories(path, decoded.categories)
    return _columns(path, decoded.images, decoded.annotations, segmentations)


def _decode(data: bytes, path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not COCO instances: {error}") from None
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: {_where(str(error), len(data))}: unpack or download it again") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}): unpack or download it again") from None
    except RecursionError:
        raise InputError(f"{path}: not COCO instances: nested too deeply") from None


def _where(message: str, size: int) -> str:
    """Say at which byte JSON breaks, from the decoder's message."""
    found = re.fullmatch(r"(?:JSON is malformed: )?(.*?) \(byte (\d+)\)", message)
    if found:
        return f"not valid JSON at byte {found[2]} ({found[1]})"
    if "truncated" in message:
        return f"truncated: it ends at byte {size} in the middle of a value"
    return f"not valid JSON ({message})"


def _check_categories(path: Path, found: list[_Category]) -> None:
    """A benchmark of other categories is another benchmark: ids and names must be COCO's 80."""
    expected = {category.id: category.name for category in categories()}
    _check_unique(path, "category", np.array([category.id for category in found], np.int64))
    names = {category.id: category.name for category in found}
    for ident, name in names.items():
        if ident not in expected:
            raise InputError(f"{path}: category {ident} ({name!r}) is none of COCO's 80")
        if name != expected[ident]:
            raise InputError(f"{path}: category {ident} is {name!r}, in COCO it is {expected[ident]!r}")
    if absent := expected.keys() - names.keys():
        raise InputError(f"{path}: {len(absent)} of COCO's 80 categories are absent, first {min(absent)}")


def _columns(
    path: Path, images: list[_Image], annotations: Sequence[_Annotation], segmentations: bool
) -> Annotations:
    images.sort(key=attrgetter("id"))
    image_ids = _column(images, "id")
    _check_unique(path, "image", image_ids)
    for image in images:
        _check_image(path, image)
    annotation_ids = _column(annotations, "id")
    _check_unique(path, "annotation", annotation_ids)
    category_ids = _column(annotations, "category_id")
    _rows(path, "category", category_ids, np.array([c.id for c in categories()]), annotation_ids)
    rows = _rows(path, "image", _column(annotations, "image_id"), image_ids, annotation_ids)
    return Annotations(
        name=path.name,
        image_ids=image_ids,
        widths=_column(images, "width"),
        heights=_column(images, "height"),
        file_names=np.array([image.file_name for image in images], dtype=object),
        annotation_ids=annotation_ids,
        annotation_rows=rows,
        annotation_category_ids=category_ids,
        annotation_is_crowd=_column(annotations, "iscrowd").astype(bool),
        annotation_areas=np.fromiter(map(attrgetter("area"), annotations), np.float64, len(annotations)),
        segmentations=list(map(attrgetter("segmentation"), annotations)) if segmentations else None,
        oddities=_oddities(path, images),
    )


def _column(rows: Sequence[Any], field: str) -> Ids:
    return np.fromiter(map(attrgetter(field), rows), np.int64, len(rows))


def _check_unique(path: Path, what: str, ids: Ids) -> None:
    ordered = np.sort(ids)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if repeated.size:
        raise InputError(f"{path}: {what} id {repeated[0]} occurs more than once")


def _rows(path: Path, what: str, ids: Ids, known: Ids, annotation_ids: Ids) -> Ids:
    """Return where in ``known``, which ascends, each annotation's image or category stands; all must be there."""
    rows = np.searchsorted(known, ids).astype(np.int64)
    padded = np.append(known, -1)  # for ids beyond the last; none is negative
    unknown = np.flatnonzero(padded[rows] != ids)
    if unknown.size:
        first = unknown[0]
        raise InputError(
            f"{path}: {unknown.size} annotations are of an unknown {what}, "
            f"first annotation {annotation_ids[first]} of {what} {ids[first]}"
        )
    return rows


def _check_image(path: Path, image: _Image) -> None:
    if image.width <= 0 or image.height <= 0:
        raise InputError(f"{path}: image {image.id} has no pixels ({image.width}×{image.height})")
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise InputError(
            f"{path}: image {image.id} is too large ({image.width}×{image.height}): "
            f"at most {MAX_IMAGE_PIXELS} pixels are taken"
        )
    if not _SAFE_NAME.fullmatch(image.file_name):
        try:
            if inside(path.parent, image.file_name) == path.parent:
                raise InputError("it is the folder itself")
        except InputError:
            raise InputError(
                f"{path}: image {image.id} has the unsafe file_name {image.file_name!r}: "
                "it must be relative and must not leave the image folder"
            ) from None


def _oddities(path: Path, images: list[_Image]) -> tuple[str, ...]:
    repeated = len(images) - len({image.file_name for image in images})
    return (f"{path.name}: {repeated} images share their file with another one",) if repeated else ()
