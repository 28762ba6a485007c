"""Write the JSON Schemas of run records, published sources and submissions into `splits/schemas/`.

`python docs/scripts/run_schemas.py`
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from benchmark.leaderboard.published.source import Source
from benchmark.runs.record import Record
from benchmark.submissions.format import schema as submission_schema
from cocoad.base.files import json_bytes, write_atomic
from cocoad.coco.partition import data_file

SCHEMAS = {
    "result": (
        Record,
        "Record of a run (result.json), version 1; metrics are fractions, null where undefined",
    ),
    "published": (
        Source,
        "A published source of results (benchmark/leaderboard/published/*.yaml), version 1",
    ),
}


def schema(name: str) -> dict[str, Any]:
    """Return one of the schemas."""
    kind, title = SCHEMAS[name]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"cocoad/{name}/1",
        "title": title,
    }
    made: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.json.schema(kind)))
    return head | made


if __name__ == "__main__":
    for name in SCHEMAS:
        write_atomic(data_file(f"schemas/{name}.schema.json"), json_bytes(schema(name)))
    of_submissions = json.loads(msgspec.json.encode(submission_schema()))
    write_atomic(data_file("schemas/submission.schema.json"), json_bytes(of_submissions))
