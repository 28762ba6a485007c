"""The JSON Schema of a run record, for readers and writers that are not ours."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cocoad.coco.partition import data_file


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data_file("schemas/result.schema.json").read_bytes())
    return found


def test_the_schema_is_that_of_the_records_we_read(schema: dict[str, Any]) -> None:
    """On a change of the record: `python docs/scripts/run_schemas.py`."""
    script = Path(__file__).resolve().parents[3] / "docs" / "scripts" / "run_schemas.py"
    assert runpy.run_path(str(script))["schema"]("result") == schema


def test_a_written_record_meets_the_schema_and_a_broken_one_does_not(
    schema: dict[str, Any], make_run: Any
) -> None:
    record = json.loads((make_run("a", flags=["outlier-pixel"]) / "result.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(record)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**record, "metrics": {"ader": {"mad": "high"}}})
