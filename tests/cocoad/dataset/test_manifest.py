"""The contract on disk: what is read back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_file
from cocoad.build.builder import build_dataset
from cocoad.coco.partition import SPLITS, data_file
from cocoad.dataset.images import find_coco_root
from cocoad.dataset.manifest import FORMAT_VERSION, read_dataset, read_split


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
        ("dataset.json", "dataset", ("format_version",), 3),
        ("dataset.json", "dataset", ("options", "rasterizer"), "other"),
        ("dataset.json", "dataset", ("splits", "0", "sha256"), "abc"),
        ("dataset.json", "dataset", ("splits", "abc"), {}),
        ("dataset.json", "dataset", ("inputs", "val", "name"), "../val.json"),
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


Change = Callable[[dict[str, Any]], Any]


def rewrite(built: Path, split: int, change: Change) -> None:
    """Change a split's file as a wrong builder would write it: with the right hash in `dataset.json`."""
    path = built / f"split_{split}.json"
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))
    rewrite_dataset(built, lambda v: v["splits"][str(split)].update(sha256=sha256_file(path)))


def rewrite_dataset(built: Path, change: Change) -> None:
    value = json.loads((built / "dataset.json").read_bytes())
    change(value)
    (built / "dataset.json").write_text(json.dumps(value))


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "anomalous without a mask": (
        lambda v: v["test"][0].pop("mask"),
        "image 101: anomalous without a mask",
    ),
    "anomalous without a digest": (
        lambda v: v["test"][0].pop("mask_sha256"),
        "image 101: a mask without its digest",
    ),
    "anomalous without categories": (
        lambda v: v["test"][0].pop("categories"),
        "image 101: anomalous without a held-out category",
    ),
    "normal with a mask": (lambda v: v["test"][0].update(label=0), "image 101: normal with a mask"),
    "anomalous by nothing": (lambda v: v["test"][1].update(label=1), "image 102: anomalous without a mask"),
    "normal with anomalous pixels": (
        lambda v: v["test"][1].update(anomalous_pixels=3),
        "image 102: normal with anomalous pixels",
    ),
    "a digest of no mask": (
        lambda v: v["test"][1].update(mask_sha256="0" * 64),
        "image 102: the digest of a mask, but no mask",
    ),
    "a category of another split": (
        lambda v: v["test"][0].update(categories=[1, 90]),
        "image 101: categories [90] are not held out in this split",
    ),
    "nothing held out": (lambda v: v.update(held_out=[]), "its held-out categories are not those"),
    "a category of another name": (
        lambda v: v["held_out"][0].update(name="cat"),
        "its held-out categories are not those",
    ),
    "another split": (lambda v: v.update(split=1), "it says that it is split 1"),
    "an image twice": (lambda v: v["train"].append(v["train"][0]), "image 2 is listed twice"),
    "no such split": (lambda v: v.update(split=-1), "$.split"),
    "no such label": (lambda v: v["test"][0].update(label=7), "$.test[0].label"),
    "no such category": (lambda v: v["test"][0].update(categories=[-1]), "$.test[0].categories"),
    "no width": (lambda v: v["test"][1].update(width=0), "$.test[1].width"),
    "a height below zero": (lambda v: v["train"][1].update(height=-1), "$.train[1].height"),
    "a width beyond all images": (lambda v: v["train"][0].update(width=2**27), "$.train[0].width"),
    "pixels below zero": (lambda v: v["test"][0].update(anomalous_pixels=-1), "$.test[0].anomalous_pixels"),
    "a mask elsewhere": (lambda v: v["test"][0].update(mask="../mask.png"), "$.test[0].mask"),
    "an image elsewhere": (lambda v: v["train"][0].update(image="/etc/passwd"), "$.train[0].image"),
}


@pytest.mark.parametrize(("change", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_split_that_contradicts_itself_is_refused_although_its_hash_is_right(
    built: Path, change: Change, message: str
) -> None:
    rewrite(built, 0, change)
    with pytest.raises(InputError) as caught:
        read_split(built, 0)
    text = str(caught.value)
    assert text.startswith(f"{built / 'split_0.json'}: ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda v: v["splits"].update(abc=v["splits"]["0"]), "`key` in `$.splits`"),
        (lambda v: v["splits"]["0"].update(train_normal=-1), "$.splits[...].train_normal"),
        *(
            (lambda v, name=name: v["inputs"]["val"].update(name=name), "$.inputs[...].name")
            for name in ("", ".", "..", "/etc/passwd", "../val.json", "a\0b")
        ),
    ],
)
def test_a_dataset_that_names_what_cannot_be_is_refused(built: Path, change: Change, place: str) -> None:
    rewrite_dataset(built, change)
    with pytest.raises(InputError) as caught:
        read_dataset(built)
    assert place in str(caught.value)


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
    later = text.replace('"format_version": 1', '"format_version": 9')
    path.write_text(later.replace('"rasterizer": "ader"', '"rasterizer": "ader-2"'))
    with pytest.raises(InputError, match="format version 9, this cocoad reads 1 and 2"):
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
