"""Write the JSON Schemas of datasets and submissions into ``splits/schemas/``: `python docs/scripts/schemas.py`."""

from __future__ import annotations

from benchmark.submissions import format as submission
from cocoad.base.files import json_bytes, write_atomic
from cocoad.coco.partition import data_file
from cocoad.dataset.schemas import NAMES, schema

for name in NAMES:
    write_atomic(data_file(f"schemas/{name}.schema.json"), json_bytes(schema(name)))
write_atomic(data_file("schemas/submission.schema.json"), json_bytes(submission.schema()))
