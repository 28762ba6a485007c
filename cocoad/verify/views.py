"""One view of a dataset's splits for all checks, read from a built dataset or from the official layout."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import msgspec

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes
from cocoad.coco.partition import SPLITS, Category, Counts, PartitionSet, coco_ad, data_file
from cocoad.dataset.manifest import (
    DATASET_FILE,
    DatasetManifest,
    SplitManifest,
    TestSample,
    TrainSample,
    split_file,
    version_problem,
)
from cocoad.dataset.official import ListedImage, MetaFile, image_id, meta_file, splits_in
from cocoad.verify.findings import Findings


class SampleView(NamedTuple):  # of which a dataset has hundreds of thousands
    """What a dataset says of one image; None where its layout does not say."""

    id: int
    image: str  # relative to the image root
    label: int
    mask: str | None = None  # relative to the dataset
    width: int | None = None
    height: int | None = None
    categories: tuple[int, ...] | None = None
    anomalous_pixels: int | None = None
    mask_sha256: str | None = None
    image_sha256: str | None = None


@dataclass(frozen=True)
class SplitView:
    """One split: where it was read from, and its samples."""

    split: int
    where: str
    held_out: tuple[Category, ...] | None
    train: list[SampleView]
    test: list[SampleView]


@dataclass(frozen=True)
class DatasetView:
    """A dataset of either layout; ``manifest`` is None for the official one."""

    directory: Path
    manifest: DatasetManifest | None
    splits: list[SplitView]

    @property
    def partitions(self) -> PartitionSet:
        """The splits that it may have."""
        return coco_ad() if self.manifest is None else self.manifest.partitions()

    def held_out(self, split: int) -> set[int]:
        """The ids of the categories that a split holds out."""
        return {category.id for category in self.partitions.splits[split].held_out}


def read_view(directory: Path, findings: Findings) -> DatasetView:
    """Read a dataset in whichever layout it has, noting what is wrong with its files.

    Raises:
        InputError: ``directory`` is neither a built dataset nor one in the official layout.
    """
    if (directory / DATASET_FILE).is_file():
        return _read_built(directory, findings)
    if splits := [split for split in splits_in(directory) if split in SPLITS]:
        views = (_read_official(directory, split, findings) for split in splits)
        return DatasetView(directory, None, [view for view in views if view])
    raise InputError(
        f"{directory} holds neither {DATASET_FILE} nor meta_20_K.json: "
        "give the directory that `cocoad build` wrote, or a COCO root in the official layout"
    )


def _read_built(directory: Path, findings: Findings) -> DatasetView:
    manifest = _checked(directory / DATASET_FILE, "dataset", DatasetManifest, findings)
    if manifest is None:
        return DatasetView(directory, None, [])
    for part in ("train", "val"):
        if part not in manifest.inputs:
            findings.add("schema", DATASET_FILE, detail=f"inputs has no {part}")
    views = []
    for key, summary in manifest.splits.items():
        path = directory / split_file(int(key))
        if int(key) >= len(manifest.partitions().splits):
            detail = f"{manifest.partitions().name} has no such split"
            findings.add("partition-wrong", path.name, detail=detail)
            continue
        if not path.is_file():
            findings.add("split-missing", path.name)
            continue
        if sha256_bytes(path.read_bytes()) != summary.sha256:
            findings.add("split-changed", path.name)
        split = _checked(path, "split", SplitManifest, findings)
        if split is None:
            continue
        if split.split != int(key):
            findings.add("partition-wrong", path.name, detail=f"it says split {split.split}")
            continue
        train, test = [_train_view(s) for s in split.train], [_test_view(s) for s in split.test]
        view = SplitView(split.split, path.name, tuple(split.held_out), train, test)
        anomalous = sum(sample.label for sample in view.test)
        counts = (len(view.train), len(view.test) - anomalous, anomalous)
        if counts != (summary.train_normal, summary.test_normal, summary.test_anomalous):
            findings.add("counts-wrong", path.name, detail=f"it holds {counts} images")
        partition = manifest.partitions().splits[split.split]
        if summary.equals_official != (Counts(*counts) == partition.official):
            findings.add("counts-wrong", path.name, detail=f"equals_official is {summary.equals_official}")
        if (split.name, split.format_version) != (partition.name, manifest.format_version):
            detail = f"it says {split.name!r}, version {split.format_version}"
            findings.add("partition-wrong", path.name, detail=detail)
        views.append(view)
    return DatasetView(directory, manifest, views)


def _train_view(sample: TrainSample) -> SampleView:
    return SampleView(
        sample.id,
        sample.image,
        0,
        width=sample.width,
        height=sample.height,
        image_sha256=sample.image_sha256,
    )


def _test_view(sample: TestSample) -> SampleView:
    return SampleView(**msgspec.structs.asdict(sample))


def _read_official(directory: Path, split: int, findings: Findings) -> SplitView | None:
    path = directory / meta_file(split)
    meta = _checked(path, "official", MetaFile, findings)
    if meta is None:
        return None
    train, test = (_official_views(part.coco) for part in (meta.train, meta.test))
    return SplitView(split, path.name, None, train, test)


def _official_views(entries: list[ListedImage]) -> list[SampleView]:
    return [
        SampleView(image_id(entry.img_path) or 0, entry.img_path, entry.anomaly, entry.mask_path or None)
        for entry in entries
    ]


@functools.cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads(data_file(f"schemas/{schema}.schema.json").read_bytes())
    )


def _checked(path: Path, schema: str, kind: type[Any], findings: Findings) -> Any:
    """Decode ``path`` as ``kind`` when it meets its JSON Schema; else note why not and return None.

    The schemas are made from the types (`cocoad.dataset.schemas`): what decodes meets them, and only what does
    not is held to its schema, which is slow and says where it is wrong.
    """
    data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        findings.add("schema", path.name, detail=_why_not(data, schema, error))
        return None


def _why_not(data: bytes, schema: str, error: Exception) -> str:
    """Say what is wrong with a file that could not be decoded."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as fault:
        return f"not JSON: {fault}"
    return _schema_problem(value, schema) or str(error)  # to JSON Schema 1.0 is an integer


def _schema_problem(value: Any, schema: str) -> str | None:
    """Say where a file does not meet its schema; of another version's files, only that they are."""
    if isinstance(value, dict) and value.get("format") == f"cocoad-{schema}":
        version = value.get("format_version")
        if isinstance(version, int) and (problem := version_problem(version)):
            return problem
    broken = next(_validator(schema).iter_errors(value), None)
    return None if broken is None else f"at {broken.json_path}: {broken.message[:200]}"
