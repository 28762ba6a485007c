"""``bench sweep``, as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmark.cli.sweep import command
from benchmark.runs.record import read_record, read_status
from cocoad.base.errors import InputError


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A folder dataset: four noisy tiles to train on, a good one and one with a bright square to test on."""
    random = np.random.default_rng(0)
    for name in (
        "train/good/0",
        "train/good/1",
        "train/good/2",
        "train/good/3",
        "test/good/4",
        "test/square/5",
    ):
        pixels = random.integers(90, 120, (64, 64, 3), np.uint8)
        path = tmp_path / "tiles" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if "square" in name:
            pixels[16:40, 16:40] = 250
            mask = tmp_path / "tiles" / "ground_truth" / "square" / "5_mask.png"
            mask.parent.mkdir(parents=True)
            Image.fromarray(np.uint8(255) * (pixels[..., 0] == 250)).save(mask)
        Image.fromarray(pixels).save(path)
    return tmp_path / "tiles"


def bench_sweep(tiles: Path, *arguments: str) -> Result:
    fixed = [
        "--dataset",
        str(tiles),
        "--image-size",
        "64",
        "--device",
        "cpu",
        "--workers",
        "0",
        "--seeds",
        "0",
    ]
    fixed += ["--backbone", "test_resnet", "--out", str(tiles.parent / "runs")]
    return CliRunner().invoke(command, [*fixed, *arguments], catch_exceptions=False)


def test_a_dry_run_shows_the_plan_and_writes_nothing(tiles: Path) -> None:
    result = bench_sweep(tiles, "--methods", "invad,mean-image", "--split", "all", "--dry-run")
    assert result.exit_code == 0
    assert "mean-image_tiles_seed-0" in result.output
    assert "2 to go" in result.output
    assert "unknown: run bench profile --method invad --image-size 64" in result.output
    assert not (tiles.parent / "runs").exists()


def test_the_plan_as_json_can_be_read_by_programs(tiles: Path) -> None:
    found = json.loads(bench_sweep(tiles, "--methods", "invad", "--json").output)
    assert found["runs"][0]["state"] == "to do"
    assert found["runs"][0]["expected_hours"] is None
    assert found["runs_of_unknown_hours"] == 1
    assert not (tiles.parent / "runs").exists()


def test_a_method_that_does_not_exist_is_refused_before_anything_runs(tiles: Path) -> None:
    with pytest.raises(InputError, match="--methods: no method 'nonsense'"):
        bench_sweep(tiles, "--methods", "mean-image,nonsense")
    assert not (tiles.parent / "runs").exists()


@pytest.mark.slow
def test_a_failure_is_named_at_the_end_and_does_not_stop_the_others(tiles: Path) -> None:
    plan = tiles.parent / "plan.yaml"
    entries = [{"method": "feature-distance", "weights": "absent.pt"}, "mean-image"]
    plan.write_text(json.dumps({"methods": entries, "defaults": {"weights": "random"}}))
    result = bench_sweep(tiles, "--plan", str(plan))
    assert result.exit_code == 1
    runs = tiles.parent / "runs"
    failed, good = runs / "feature-distance_tiles_seed-0", runs / "mean-image_tiles_seed-0"
    assert "1 finished, 1 failed" in result.output
    (why,) = [line for line in result.output.splitlines() if line.startswith("failed: ")]
    assert why.startswith(f"failed: {failed}: no weights")
    assert "absent.pt" in why
    assert why.endswith(f"log: {failed / 'log.txt'}")
    assert f"next: bench leaderboard {runs}" in result.output
    assert "absent.pt" in (failed / "log.txt").read_text()
    written = (good / "result.json").stat().st_mtime_ns

    again = bench_sweep(tiles, "--plan", str(plan), "--dry-run").output
    assert "failed before because no weights" in again
    assert "1 to go" in again
    result = bench_sweep(tiles, "--plan", str(plan), "--weights", "random")
    assert result.exit_code == 0, result.output
    assert "1 finished and 1 before" in result.output
    assert (good / "result.json").stat().st_mtime_ns == written
    assert read_record(failed).method.weights == "random"


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_with_the_run_it_left(tiles: Path) -> None:
    directory = tiles.parent / "runs" / "invad-lite_tiles_seed-0"
    arguments = [
        "--methods",
        "invad-lite,mean-image",
        "--weights",
        "random",
        "--batch-size",
        "4",
        "--epochs",
        "30",
    ]
    arguments += ["--checkpoint-every", "0"]

    def interrupt() -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            if (status := read_status(directory)) and status.epoch >= 3:
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.02)

    threading.Thread(target=interrupt, daemon=True).start()
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # as below a shell's "&"
    try:
        result = bench_sweep(tiles, *arguments)
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert result.exit_code == 130
    assert "0 finished, 1 interrupted, 1 not started" in result.output
    assert f"interrupted: {directory}: the same command goes on with it" in result.output
    planned = bench_sweep(tiles, *arguments, "--json").output
    assert [run["state"] for run in json.loads(planned)["runs"]] == ["to resume", "to do"]
    result = bench_sweep(tiles, *arguments)
    assert result.exit_code == 0, result.output
    assert f"[1/2] {directory}: going on" in result.output
    assert (directory / "log.txt").read_text().count(" --resume\n") == 1
    assert read_record(directory).epochs == 30
