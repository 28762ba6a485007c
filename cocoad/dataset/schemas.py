"""The JSON Schemas of what a dataset consists of, made from the types; ``splits/schemas/`` holds them as files."""

from __future__ import annotations

from typing import Any

import msgspec

from cocoad.coco.own import PartitionPlan
from cocoad.dataset.manifest import DatasetManifest, SplitManifest
from cocoad.dataset.official import MetaFile

_KINDS: dict[str, tuple[str, Any]] = {
    "dataset": ("A built dataset: what it was built from and how (dataset.json)", DatasetManifest),
    "split": ("One split of a built dataset: every sample (split_K.json)", SplitManifest),
    "partition": ("A partition of one's own (cocoad build --partition)", PartitionPlan),
    "official": ("COCO-AD, official layout (meta_20_K.json)", MetaFile),
}
NAMES = tuple(_KINDS)


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that ``splits/schemas/NAME.schema.json`` holds."""
    title, kind = _KINDS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"cocoad/{name}/1",
        "title": title,
        **msgspec.json.schema(kind),
    }
