"""The contract on disk: what is read back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cocoad.build import build_dataset
from cocoad.errors import InputError
from cocoad.manifest import FORMAT_VERSION, find_coco_root, read_dataset, read_split
from cocoad.partition import SPLITS, data_file


@pytest.fixture
def built(tiny_coco: Any, tmp_path: Path) -> Path:
    """A built dataset."""
    build_dataset(tiny_coco.root, tmp_path / "built")
    return tmp_path / "built"


def test_a_built_dataset_meets_its_schemas(built: Path) -> None:
    names = {"dataset.json": "dataset"} | {f"split_{split}.json": "split" for split in SPLITS}
    for name, schema in names.items():
        validator = jsonschema.Draft202012Validator(
            json.loads(data_file(f"schemas/{schema}.schema.json").read_text())
        )
        validator.check_schema(validator.schema)
        assert list(validator.iter_errors(json.loads((built / name).read_text()))) == []


@pytest.mark.parametrize(
    ("name", "schema", "where", "value"),
    [
        ("dataset.json", "dataset", ("format_version",), 2),
        ("dataset.json", "dataset", ("options", "rasterizer"), "other"),
        ("dataset.json", "dataset", ("splits", "0", "sha256"), "abc"),
        ("split_0.json", "split", ("test", 0, "mask"), "../mask.png"),
        ("split_0.json", "split", ("test", 0, "label"), 2),
        ("split_0.json", "split", ("train", 0, "image"), "/etc/passwd"),
        ("split_0.json", "split", ("train", 0, "width"), 0),
        ("split_0.json", "split", ("extra",), 1),
    ],
)
def test_schemas_refuse_what_a_build_never_writes(
    built: Path, name: str, schema: str, where: tuple[Any, ...], value: Any
) -> None:
    document = at = json.loads((built / name).read_text())
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(data_file(f"schemas/{schema}.schema.json").read_text()))


def test_manifests_are_read_back_as_they_were_written(built: Path) -> None:
    dataset = read_dataset(built)
    assert dataset.format_version == FORMAT_VERSION
    assert set(dataset.splits) == {"0", "1", "2", "3"}
    split = read_split(built, 0)
    assert [sample.id for sample in split.train] == [2, 3]
    assert [(sample.id, sample.label, sample.categories) for sample in split.test] == [
        (101, 1, (1,)), (102, 0, ()), (103, 0, ())
    ]  # fmt: skip


def test_a_directory_without_manifest_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cocoad build --coco-root DIR"):
        read_dataset(tmp_path)


def test_a_split_changed_after_the_build_is_refused(built: Path) -> None:
    path = built / "split_1.json"
    path.write_bytes(path.read_bytes().replace(b'"label": 1', b'"label": 0'))
    with pytest.raises(InputError, match="was changed after the build"):
        read_split(built, 1)
    path.unlink()
    with pytest.raises(InputError, match="is missing"):
        read_split(built, 1)


def test_a_split_that_was_not_built_is_refused_with_those_that_were(tiny_coco: Any, tmp_path: Path) -> None:
    build_dataset(tiny_coco.root, tmp_path / "one", splits=[2])
    with pytest.raises(InputError, match=r"has no split 0 \(it has 2\)"):
        read_split(tmp_path / "one", 0)


def test_a_manifest_of_a_later_format_or_of_none_is_refused(built: Path) -> None:
    path = built / "dataset.json"
    text = path.read_text()
    path.write_text(text.replace('"format_version": 1', '"format_version": 9'))
    with pytest.raises(InputError, match="format version 9, this cocoad reads 1"):
        read_dataset(built)
    path.write_text(text[:100])
    with pytest.raises(InputError, match="truncated"):
        read_dataset(built)


def test_the_coco_root_is_the_given_one_else_the_variable_else_the_hint(
    built: Path, tiny_coco: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)
    assert find_coco_root(built) == tiny_coco.root
    monkeypatch.setenv("COCO_ROOT", str(built))
    assert find_coco_root(built) == built
    assert find_coco_root(built, tmp_path) == tmp_path
    with pytest.raises(InputError, match=r"from --coco-root\) is not a directory"):
        find_coco_root(built, tmp_path / "none")
    monkeypatch.delenv("COCO_ROOT")
    (built / "coco-root.txt").unlink()
    with pytest.raises(InputError, match="where is COCO"):
        find_coco_root(built)
