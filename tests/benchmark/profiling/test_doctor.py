"""``bench doctor``: what a bug report needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.cli import bench
from benchmark.profiling import doctor

WANTED = {
    "cocoad", "python", "torch", "numpy", "processor", "a step on cpu", "here", "temporary files", "pixel cache",
    "weights at hand", "extras", "coco",
}  # fmt: skip


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LITTLE_DISK", 0)
    monkeypatch.setattr(doctor, "SMALL_SHM", 0)


def test_it_says_all_that_a_bug_report_needs_and_ends_with_0() -> None:
    result = CliRunner().invoke(bench, ["doctor", "--json"])
    assert result.exit_code == 0, result.output
    found = {each["what"]: each for each in json.loads(result.stdout)}
    assert set(found) >= WANTED
    assert found["a step on cpu"]["found"].endswith(" ms")


def test_what_is_wrong_is_said_with_what_to_do_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COCO_ROOT", str(tmp_path / "nowhere"))
    monkeypatch.setattr(doctor, "LITTLE_DISK", 1 << 80)

    def broken(*arguments: object) -> None:
        raise RuntimeError("no kernel image is available\nfor this device")

    monkeypatch.setattr("benchmark.methods.registry.create", broken)
    result = CliRunner().invoke(bench, ["doctor"])
    assert result.exit_code == 1
    said = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert "failed  <- no kernel image is available for this device" in said["a step on cpu"]
    assert "<- little room" in said["here"]
    assert "<- it is not a folder" in said["coco"]


def test_weights_that_were_downloaded_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--timm--resnet18.tv_in1k").mkdir()
    (only,) = doctor._weights()
    assert only.found == f"resnet18.tv_in1k (in {tmp_path})"
