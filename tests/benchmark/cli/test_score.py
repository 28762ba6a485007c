"""``bench score`` as a person types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import benchmark.datasets
from benchmark.cli import bench
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.runs.record import read_record

SIZE = 32


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Maps of a made-up dataset of six images, which is what any --dataset gives here."""
    folder = tmp_path / "mine"
    folder.mkdir()
    samples = []
    for index in range(6):
        mask = None
        values = np.random.default_rng(index).random((SIZE, SIZE))
        if index % 2:
            mask = tmp_path / f"mask{index}.png"
            array = np.zeros((SIZE, SIZE), np.uint8)
            array[4:12, 4:12] = 255
            Image.fromarray(array).save(mask)
            values += array > 0
        np.save(folder / f"{index}.npy", values)
        samples.append(Sample(f"val/{index}", tmp_path / f"{index}.jpg", "coco", index % 2, mask))

    def load_dataset(path: Path, *, split: int | None, **_: Any) -> AnomalyDataset:
        return AnomalyDataset(path.name, "coco-ad", split, "a" * 64, (), tuple(samples))

    monkeypatch.setattr(benchmark.datasets, "load_dataset", load_dataset, raising=False)
    return folder


def call(maps: Path, tmp_path: Path, *words: str) -> Any:
    fixed = ["--maps", str(maps), "--split", "0", "--out", str(tmp_path / "runs"), "--image-size", str(SIZE)]
    return CliRunner().invoke(bench, ["score", *fixed, *words])


def test_it_writes_a_run_named_after_the_folder_and_says_what_next(maps: Path, tmp_path: Path) -> None:
    result = call(maps, tmp_path)
    assert result.exit_code == 0, result.output
    directory = tmp_path / "runs" / "mine_coco-ad_split-0"
    assert f"scored 6 maps into {directory}" in result.stdout
    assert "bench leaderboard" in result.stderr
    assert read_record(directory).metrics["exact"]["image_auroc"] == 1.0
    board = CliRunner().invoke(bench, ["leaderboard", str(tmp_path / "runs")])
    assert "mine" in board.stdout


def test_every_bad_map_is_a_line_and_nothing_is_written(maps: Path, tmp_path: Path) -> None:
    (maps / "0.npy").unlink()
    np.save(maps / "1.npy", np.full((SIZE, SIZE), np.nan))
    result = call(maps, tmp_path, "--name", "other")
    first, second = result.stderr.splitlines()
    assert first == "missing: val/0"
    assert second.startswith(f"not finite: {maps / '1.npy'} (1024 of 1024 pixels are NaN")
    assert "nothing was scored (1 missing, 1 not finite)" in str(result.exception)
    assert not (tmp_path / "runs").exists()
