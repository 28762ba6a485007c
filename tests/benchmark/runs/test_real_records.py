"""The records that tests make up are like those of real runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from benchmark.cli import bench
from cocoad.cli import cocoad


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The record of a run of today, of mean-image on a drawn COCO-AD."""
    folder = tmp_path_factory.mktemp("real")
    for command, words in (
        (cocoad, ["sample", folder / "coco", "--train", 8, "--val", 10, "--size", 64]),
        (cocoad, ["build", "--coco-root", folder / "coco", "--out", folder / "coco-ad"]),
        (bench, ["run", "--method", "mean-image", "--dataset", folder / "coco-ad", "--image-size", 64,
                 "--workers", 0, "--out", folder / "runs"]),
    ):  # fmt: skip
        result = CliRunner().invoke(command, list(map(str, words)))
        assert result.exit_code == 0, (result.output, result.exception)
    (path,) = (folder / "runs").glob("*/result.json")
    return msgspec.json.decode(path.read_bytes())


def shape(value: Any) -> Any:
    """Return an object's keys, and theirs."""
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("part", ["method", "dataset", "cost", "environment", "config"])
def test_a_made_up_record_has_the_fields_that_a_real_run_writes(real: Any, made_up: Any, part: str) -> None:
    ours, theirs = shape(made_up[part]), shape(real[part])
    if part == "environment":  # packages that are recorded where they are installed
        ours["packages"] = theirs["packages"] = None
    assert ours == theirs


def test_a_made_up_record_has_the_layout_and_classes_of_a_real_one(real: Any, made_up: Any) -> None:
    for name in ("name", "layout", "classes"):
        assert made_up["dataset"][name] == real["dataset"][name]
    assert set(made_up) | {"sha256"} == set(real)


@pytest.fixture
def made_up() -> Any:
    path = Path(__file__).resolve().parents[1] / "record.json"
    return msgspec.json.decode(path.read_bytes())
