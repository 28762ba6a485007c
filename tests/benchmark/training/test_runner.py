"""A run from a folder of images to its record, on a network small enough for a laptop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.run import command
from benchmark.inference.trained import load_run
from benchmark.runs.outputs import read_previews, read_scores
from benchmark.runs.record import Record, read_record, read_status
from cocoad.base.errors import InputError
from cocoad.coco.partition import data_file

SIZE = 64
RUN = ["--method", "invad-lite", "--backbone", "resnet18", "--weights", "random", "--epochs", "2"]
SMALL = ["--batch-size", "4", "--image-size", str(SIZE), "--workers", "0", "--device", "cpu"]


def run(dataset: Path, out: Path, *more: str) -> Path:
    arguments = [*RUN, *SMALL, "--dataset", str(dataset), "--out", str(out), *more]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "next: bench leaderboard" in result.output
    return next(out.iterdir())


def timeless(record: Record) -> tuple[object, ...]:
    return record.metrics, record.per_group, record.dataset, record.method


def test_a_run_leaves_a_signed_record_with_both_protocols_scores_and_previews(
    tiles: Path, tmp_path: Path
) -> None:
    directory = run(tiles, tmp_path / "runs")
    record = read_record(directory)
    assert directory.name == "invad-lite_tiles_seed-42"
    assert set(record.metrics) == {"ader", "exact"}
    assert (record.dataset.train_normal, record.dataset.test_normal, record.dataset.test_anomalous) == (
        8,
        3,
        3,
    )
    assert "defect:square" in record.per_group
    jsonschema.validate(
        json.loads((directory / "result.json").read_bytes()),
        json.loads(data_file("schemas/result.schema.json").read_bytes()),
    )
    assert [score.label for score in read_scores(directory)] == [0, 0, 0, 1, 1, 1]
    assert read_previews(directory).masks.any(axis=(1, 2)).tolist() == [False] * 3 + [True] * 3
    status = read_status(directory)
    assert status is not None
    assert status.state == "finished"


def test_the_same_seed_gives_the_same_weights_and_metrics_bit_for_bit(tiles: Path, tmp_path: Path) -> None:
    first, second = run(tiles, tmp_path / "a"), run(tiles, tmp_path / "b")
    assert (first / "weights.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes()
    assert timeless(read_record(first)) == timeless(read_record(second))


def test_a_finished_run_is_kept_and_another_configuration_does_not_overwrite_it(
    tiles: Path, tmp_path: Path
) -> None:
    directory = run(tiles, tmp_path / "runs")
    before = (directory / "result.json").read_bytes()
    run(tiles, tmp_path / "runs")
    assert (directory / "result.json").read_bytes() == before
    with pytest.raises(InputError, match=r"a run with another recipe\.learning_rate"):
        run(tiles, tmp_path / "runs", "--learning-rate", "0.5")


def test_too_few_images_for_a_batch_are_said_and_the_run_is_marked_failed(
    tiles: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="8 training images do not fill a batch of 9"):
        run(tiles, tmp_path / "runs", "--batch-size", "9")
    status = read_status(next((tmp_path / "runs").iterdir()))
    assert status is not None
    assert status.state == "failed"


def test_without_masks_there_are_image_metrics_alone_and_with_some_it_is_said(
    tiles: Path, tmp_path: Path
) -> None:
    (tiles / "ground_truth" / "square" / "12_mask.png").unlink()
    some = read_record(run(tiles, tmp_path / "some"))
    (note,) = some.dataset.notes
    assert note.startswith("1 of 3 anomalous images have no mask, test/square/12 first")
    assert some.dataset.test_without_mask == 1
    assert some.flags[-1:] == ["partly-masked"]
    assert some.metrics["ader"]["pixel_auroc"] is not None
    shutil.rmtree(tiles / "ground_truth")
    none = read_record(run(tiles, tmp_path / "none")).metrics
    assert none["ader"]["image_auroc"] == some.metrics["ader"]["image_auroc"]
    assert none["ader"]["pixel_auroc"] is none["exact"]["mad"] is None


def test_no_epochs_at_all_score_the_untrained_network(tiles: Path, tmp_path: Path) -> None:
    directory = run(tiles, tmp_path / "runs", "--epochs", "0")
    untrained, trained = read_record(directory), read_record(run(tiles, tmp_path / "trained"))
    assert (untrained.epochs, untrained.cost.train_images_per_s) == (0, None)
    assert untrained.metrics != trained.metrics
    assert not (directory / "train_log.csv").exists()


def test_a_run_on_another_dataset_of_the_same_name_is_not_taken_for_finished(
    tiles: Path, tmp_path: Path
) -> None:
    run(tiles, tmp_path / "runs")
    other = tmp_path / "other" / "tiles"
    shutil.copytree(tiles, other)
    next((other / "test" / "good").iterdir()).unlink()
    with pytest.raises(InputError, match="a run with another version of the dataset: give --overwrite"):
        run(other, tmp_path / "runs")


def test_two_processes_do_not_write_one_run(tiles: Path, tmp_path: Path, held_elsewhere: Any) -> None:
    directory = run(tiles, tmp_path / "runs")
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    with (
        held_elsewhere(directory),
        pytest.raises(InputError, match="is being written by another process: wait for it"),
    ):
        run(tiles, tmp_path / "runs", "--overwrite")
    assert {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()} == before


def test_what_is_refused_leaves_no_directory(tiles: Path, tmp_path: Path) -> None:
    for wrong in (["--backbone", "nosuch"], ["--weights", "nosuch.safetensors"]):
        with pytest.raises(InputError, match="nosuch"):
            run(tiles, tmp_path / "runs", *wrong)
    assert not (tmp_path / "runs").exists()


def test_nothing_of_an_earlier_run_is_left_beside_the_record_of_a_later_one(
    tiles: Path, tmp_path: Path
) -> None:
    trained = run(tiles, tmp_path / "runs")
    mine = trained / "weights.safetensors"
    given = tmp_path / "given.safetensors"
    shutil.copy(mine, given)
    stale = trained / ".maps.partial" / "test" / "stale.npz"
    stale.parent.mkdir(parents=True)
    stale.touch()
    run(tiles, tmp_path / "runs", "--seed", "42", "--epochs", "0", "--overwrite", "--save-maps")
    assert not (trained / "train_log.csv").exists()
    assert not list(trained.rglob("stale.npz"))
    assert mine.read_bytes() != given.read_bytes()
    run(tiles, tmp_path / "runs", "--checkpoint", str(given), "--eval-only", "--overwrite")
    assert mine.read_bytes() == given.read_bytes()


def test_a_metric_that_is_undefined_is_one_line_without_a_file_of_ours(tiles: Path, tmp_path: Path) -> None:
    shutil.rmtree(tiles / "test" / "square")
    arguments = [*RUN, *SMALL, "--dataset", str(tiles), "--out", str(tmp_path / "runs")]
    lines = CliRunner().invoke(command, arguments, catch_exceptions=False).output.splitlines()
    assert any(line.startswith("warning: undefined under the protocol ader: image_auroc") for line in lines)
    assert not any(".py" in line for line in lines)


def test_images_of_12_bits_in_files_of_16_are_predicted_as_they_were_trained_on(tmp_path: Path) -> None:
    for number, part in enumerate(["train"] * 8 + ["test"] * 2):
        path = tmp_path / "deep" / part / "good" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((SIZE, SIZE), 100 * number + 3000, np.uint16)).save(path)
    directory = run(tmp_path / "deep", tmp_path / "runs")
    assert read_record(directory).dataset.gray_bits == 12
    model = load_run(directory, "cpu")
    eight = np.full((SIZE, SIZE, 3), (3900 >> 4), np.uint8)
    assert (model.predict(path).map == model.predict(eight).map).all()
