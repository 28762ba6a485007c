"""COCO's own format: the instances of the held-out categories in each split's test images, for COCO's tools."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes, write_atomic
from cocoad.coco.instances import read_bytes
from cocoad.dataset.images import find_coco_root
from cocoad.dataset.manifest import read_dataset, read_split
from cocoad.export.together import appearing_together

UNFINISHED = ".coco-export.unfinished"


class _Annotation(msgspec.Struct):
    image_id: int
    category_id: int
    iscrowd: int = 0


class _Entry(msgspec.Struct):
    id: int


class _Parts(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]
    info: msgspec.Raw = msgspec.Raw(b"{}")
    licenses: msgspec.Raw = msgspec.Raw(b"[]")


def export_coco(dataset: Path, out: Path, coco_root: Path | None = None) -> list[Path]:
    """Write ``instances_split_K.json`` for every split and return the paths.

    Each holds the split's test images, the twenty held-out categories and their annotations, byte for byte as COCO
    has them, crowds included unless the build left them out. An image without an annotation in it is a normal one.

    Args:
        coco_root: where ``annotations/`` is; None: as the build left it.

    Raises:
        InputError: a file is there already, or the annotation file is missing or not the one that was built from.
    """
    manifest = read_dataset(dataset)
    splits = {int(key): read_split(dataset, int(key)) for key in manifest.splits}
    with appearing_together(out, splits, lambda k: (_file(k),), UNFINISHED):
        source = find_coco_root(dataset, coco_root) / "annotations" / manifest.inputs["val"].name
        data = read_bytes(source)
        if sha256_bytes(data) != manifest.inputs["val"].sha256:
            raise InputError(f"{source} is not the file that {dataset} was built from: give --coco-root DIR")
        parts = msgspec.json.decode(data, type=_Parts)
        annotations = [(msgspec.json.decode(raw, type=_Annotation), raw) for raw in parts.annotations]
        images = [(msgspec.json.decode(raw, type=_Entry).id, raw) for raw in parts.images]
        categories = [(msgspec.json.decode(raw, type=_Entry).id, raw) for raw in parts.categories]
        crowds = manifest.options.crowd == "include"
        for number, split in splits.items():
            tested = {sample.id for sample in split.test}
            held_out = {category.id for category in split.held_out}
            kept = [
                raw
                for one, raw in annotations
                if one.category_id in held_out and one.image_id in tested and (crowds or not one.iscrowd)
            ]
            instances = {
                "info": parts.info,
                "licenses": parts.licenses,
                "images": [raw for ident, raw in images if ident in tested],
                "annotations": kept,
                "categories": [raw for ident, raw in categories if ident in held_out],
            }
            write_atomic(out / _file(number), msgspec.json.encode(instances) + b"\n")
    return [out / _file(number) for number in splits]


def _file(split: int) -> str:
    return f"instances_split_{split}.json"
