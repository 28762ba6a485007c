"""Write the JSON Schemas of built datasets into ``splits/schemas/``: `python docs/scripts/schemas.py`."""

from __future__ import annotations

from cocoad.base.files import json_bytes, write_atomic
from cocoad.coco.partition import data_file
from cocoad.dataset.schemas import NAMES, schema

for name in NAMES:
    write_atomic(data_file(f"schemas/{name}.schema.json"), json_bytes(schema(name)))
