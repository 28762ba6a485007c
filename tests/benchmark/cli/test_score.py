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


def test_what_a_killed_scoring_left_goes(maps: Path, tmp_path: Path) -> None:
    left = tmp_path / "runs" / "mine_coco-ad_split-0" / ".scores.0123456789abcdef.partial.csv"
    left.parent.mkdir(parents=True)
    left.touch()
    assert call(maps, tmp_path).exit_code == 0
    assert not left.exists()


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


def test_scores_alone_are_scored_and_named_after_their_file(maps: Path, tmp_path: Path) -> None:
    given = tmp_path / "mine.csv"
    given.write_text("id,score\n" + "".join(f"{index},{index % 2}\n" for index in range(6)))
    fixed = ["--split", "0", "--out", str(tmp_path / "runs"), "--image-size", str(SIZE)]
    result = CliRunner().invoke(bench, ["score", "--scores", str(given), *fixed])
    assert result.exit_code == 0, result.output
    directory = tmp_path / "runs" / "mine_coco-ad_split-0"
    assert f"scored 6 image scores into {directory}" in result.stdout
    assert read_record(directory).metrics["exact"]["image_auroc"] == 1.0
    shown = CliRunner().invoke(bench, ["show", str(directory)])
    assert shown.exit_code == 0, shown.output


def test_some_of_the_classes_are_scored_with_the_maps_of_all_in_the_folder(tmp_path: Path) -> None:
    data = tmp_path / "mvtec"
    for name in ("bottle", "cable"):
        for part in ("train/good", "test/good", "test/crack"):
            for index in range(2):
                path = data / name / part / f"{index:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((SIZE, SIZE), 50 * index, np.uint8)).save(path)
                if part.startswith("test"):
                    mask = np.zeros((SIZE, SIZE), np.uint8)
                    mask[4:12, 4:12] = 255 * (part == "test/crack")
                    target = tmp_path / "maps" / name / part / f"{index:03}.tiff"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask.astype(np.float32)).save(target)
                    if part == "test/crack":
                        truth = data / name / "ground_truth" / "crack" / f"{index:03}_mask.png"
                        truth.parent.mkdir(parents=True, exist_ok=True)
                        Image.fromarray(mask).save(truth)
    fixed = [
        "--dataset",
        str(data),
        "--out",
        str(tmp_path / "runs"),
        "--image-size",
        str(SIZE),
        "--classes",
        "cable",
    ]
    result = CliRunner().invoke(bench, ["score", "--maps", str(tmp_path / "maps"), "--name", "m", *fixed])
    assert result.exit_code == 0, result.output
    record = read_record(tmp_path / "runs" / "m_mvtec_cable")
    assert record.dataset.classes == ["cable"]
    assert record.dataset.test_anomalous == 2
