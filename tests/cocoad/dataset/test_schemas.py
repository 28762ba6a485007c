"""The JSON Schemas, for readers and writers that are not ours."""

from __future__ import annotations

import json

import jsonschema
import pytest

from cocoad.base.files import json_bytes
from cocoad.coco.partition import data_file
from cocoad.dataset.schemas import NAMES, schema


@pytest.mark.parametrize("name", NAMES)
def test_the_schemas_are_those_of_the_types_that_we_read(name: str) -> None:
    """On a change of a type: `python docs/scripts/schemas.py`."""
    written = json.loads(data_file(f"schemas/{name}.schema.json").read_bytes())
    assert written == json.loads(json_bytes(schema(name)))
    jsonschema.Draft202012Validator.check_schema(written)
