"""An instances JSON as rows of the few fields that the benchmark needs, whoever wrote its numbers.

Typed decoding reads them at once and skips everything else, the polygons of train2017 above all. Only a file that is
not as COCO writes it is read a second time, row by row, so that each wrong one is named and the rest is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from cocoad.base.errors import InputError
from cocoad.coco.faults import Faults

MAX_ID = 10**12 - 1  # a mask's file name has 12 digits
_Id = Annotated[int, Meta(ge=0, le=MAX_ID)]
_Category = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Side = Annotated[int, Meta(ge=-(2**31), le=2**31)]  # so that a product of two fits 64 bits
_Area = Annotated[float, Meta(ge=0, le=2**62)]  # so that the sum of all is finite


class ImageRow(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    id: _Id
    file_name: str
    width: _Side
    height: _Side


class AnnotationRow(msgspec.Struct, gc=False):
    """An entry of ``annotations``; its id is for messages alone, and may have any length."""

    id: int
    image_id: _Id
    category_id: _Category
    iscrowd: Annotated[int, Meta(ge=0, le=1)] = 0
    area: _Area = 0.0


class SegmentedRow(AnnotationRow, gc=False, kw_only=True):
    """The same with its outline, not decoded yet."""

    segmentation: msgspec.Raw


class CategoryRow(msgspec.Struct):
    """An entry of ``categories``."""

    id: _Category
    name: str
    supercategory: str = ""


class Instances(msgspec.Struct):
    """The file, without outlines."""

    images: list[ImageRow]
    annotations: list[AnnotationRow]
    categories: list[CategoryRow]


class SegmentedInstances(msgspec.Struct):
    """The file, with outlines."""

    images: list[ImageRow]
    annotations: list[SegmentedRow]
    categories: list[CategoryRow]


AnyInstances: TypeAlias = Instances | SegmentedInstances


class _LooseImage(msgspec.Struct):
    id: Any = UNSET
    file_name: Any = UNSET
    width: Any = UNSET
    height: Any = UNSET


class _LooseAnnotation(msgspec.Struct):
    id: Any = UNSET
    image_id: Any = UNSET
    category_id: Any = UNSET
    iscrowd: Any = UNSET
    area: Any = UNSET


class _LooseSegmented(_LooseAnnotation):
    segmentation: msgspec.Raw | msgspec.UnsetType = UNSET


class _LooseCategory(msgspec.Struct):
    id: Any = UNSET
    name: Any = UNSET
    supercategory: Any = UNSET


class _Loose(msgspec.Struct):
    images: list[_LooseImage]
    annotations: list[_LooseAnnotation]
    categories: list[_LooseCategory]


class _LooseWithOutlines(msgspec.Struct):
    images: list[_LooseImage]
    annotations: list[_LooseSegmented]
    categories: list[_LooseCategory]


def decode_instances(data: bytes, path: Path, segmentations: bool, faults: Faults) -> AnyInstances | None:
    """Decode an instances file; rows that cannot be taken are noted and left out.

    Returns:
        None: it is no such file at all, which is noted.
    """
    try:
        kind: type[AnyInstances] = SegmentedInstances if segmentations else Instances
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        return _decode_by_row(data, path, segmentations, str(error), faults)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        faults.add("file-broken", str(path), detail=_why_broken(error, len(data)))
        return None


def _why_broken(error: Exception, size: int) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 ({error.reason}): unpack or download it again"
    if isinstance(error, RecursionError):
        return "not COCO instances: nested too deeply"
    found = re.fullmatch(r"(?:JSON is malformed: )?(.*?) \(byte (\d+)\)", str(error))
    if found:
        why = f"not valid JSON at byte {found[2]} ({found[1]})"
    elif "truncated" in str(error):
        why = f"truncated: it ends at byte {size} in the middle of a value"
    else:
        why = f"not valid JSON ({error})"
    return f"{why}: unpack or download it again"


def _decode_by_row(
    data: bytes, path: Path, segmentations: bool, why: str, faults: Faults
) -> AnyInstances | None:
    loose: Any = None
    try:
        kind: type[Any] = _LooseWithOutlines if segmentations else _Loose
        loose = msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        faults.add("file-other", str(path), detail=f"not COCO instances: {other_kind(data) or error}")
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not isinstance(error, msgspec.DecodeError):  # else a number of thousands of digits
            faults.add("file-broken", str(path), detail=_why_broken(error, len(data)))
            return None
    if loose is None or (what := other_kind(data)):
        detail = f"not COCO instances: {why if loose is None else what}"
        faults.add("file-other", str(path), detail=detail)
        return None
    taken = _Taken(path, faults)
    images = taken.rows(loose.images, "images", ImageRow)
    categories = taken.rows(loose.categories, "categories", CategoryRow)
    if not segmentations:
        return Instances(images, taken.rows(loose.annotations, "annotations", AnnotationRow), categories)
    return SegmentedInstances(images, taken.segmented(loose.annotations), categories)


class _Taken:
    """Makes typed rows of loose ones; notes those that cannot be."""

    def __init__(self, path: Path, faults: Faults) -> None:
        self.path, self.faults = path, faults
        self.mended: set[str] = set()  # fields of which numbers were written as floats or booleans

    def rows(self, loose: Sequence[Any], name: str, kind: type[Any]) -> list[Any]:
        made = [self._row(row, name, number, kind) for number, row in enumerate(loose)]
        self._note_mended(name)
        return [row for row in made if row is not None]

    def segmented(self, loose: Sequence[_LooseSegmented]) -> list[SegmentedRow]:
        made = []
        for number, row in enumerate(loose):
            plain = self._row(row, "annotations", number, AnnotationRow)
            if plain is None:
                continue
            if row.segmentation is UNSET:
                detail = f"annotation {plain.id} of image {plain.image_id}: it has no segmentation"
                self.faults.add("outline-wrong", str(self.path), plain.id, detail)
                continue
            made.append(SegmentedRow(**msgspec.structs.asdict(plain), segmentation=row.segmentation))
        self._note_mended("annotations")
        return made

    def _row(self, loose: Any, name: str, number: int, kind: type[Any]) -> Any:
        values = {}
        for field in kind.__struct_fields__:
            value = getattr(loose, field)
            if value is UNSET:
                continue
            if (isinstance(value, float) and field != "area" and value.is_integer()) or (
                isinstance(value, bool) and field == "iscrowd"
            ):
                value = int(value)
                self.mended.add(field)
            values[field] = value
        try:
            return msgspec.convert(values, type=kind)
        except msgspec.ValidationError as error:
            detail = str(error).replace("`$", f"`$.{name}[{number}]")
            if "`$" not in detail:
                detail += f" - at `$.{name}[{number}]`"
            ident = values.get("id")
            ident = ident if isinstance(ident, int | str) else f"{name}[{number}]"
            self.faults.add("field-wrong", str(self.path), ident, f"not COCO instances: {detail}")
            return None

    def _note_mended(self, name: str) -> None:
        if self.mended:
            what = f"{', '.join(sorted(self.mended))} of {name} written as floats or booleans"
            self.faults.add("numbers-as-floats", str(self.path), name, f"{self.path.name}: {what}")
            self.mended = set()


def other_kind(data: bytes) -> str | None:
    """Say which other file of COCO's or its kin this is, if it is one."""
    try:
        top = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "a list, as results are" if data.lstrip()[:1] == b"[" else None
    first = {key: _first(top.get(key)) for key in ("images", "annotations", "categories")}
    if "segments_info" in first["annotations"]:
        return "panoptic segmentation (panoptic_*.json); the instances_*.json lie beside it"
    if "caption" in first["annotations"]:
        return "captions (captions_*.json); the instances_*.json lie beside it"
    if "keypoints" in first["annotations"] or "keypoints" in first["categories"]:
        return "person keypoints (person_keypoints_*.json); the instances_*.json lie beside it"
    if "neg_category_ids" in first["images"] or "synset" in first["categories"]:
        return "LVIS, whose categories are not COCO's: with --partition FILE it makes a benchmark of its own"
    if "annotations" not in top and "images" in top:
        return "a list of images without annotations (image_info_*.json)"
    return None


def _first(rows: msgspec.Raw | None) -> dict[str, Any]:
    """Return the first of a list's objects; the rest is not built."""
    if rows is None:
        return {}
    try:
        every = msgspec.json.decode(rows, type=list[dict[str, msgspec.Raw]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return every[0] if every else {}


def read_bytes(path: Path) -> bytes:
    """Read a whole annotation file; raise InputError when there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} is missing: it is in COCO's annotations_trainval2017.zip") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a directory, not an annotation file") from None
