"""Normal images held out of training, and the thresholds that a run's record has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.cli.show import command as show
from benchmark.config import RunConfig
from benchmark.datasets import load_dataset
from benchmark.datasets.calibration import held_out
from benchmark.decision.thresholds import at_false_alarm_rate
from benchmark.runs.outputs import read_scores
from benchmark.runs.record import CALIBRATION_FILE, read_record
from benchmark.training.runner import run
from cocoad.base.errors import InputError


def test_a_share_of_the_training_images_is_held_out_by_seed(tiles: Path) -> None:
    whole = load_dataset(tiles)
    parts = [held_out(whole, 0.25, seed) for seed in (1, 1, 2)]
    assert parts[0] == parts[1]
    assert {sample.id for sample in parts[0].calibration} != {sample.id for sample in parts[2].calibration}
    for part in parts:
        assert len(part.calibration) == 2
        assert sorted(part.train + part.calibration, key=lambda s: s.id) == sorted(
            whole.train, key=lambda s: s.id
        )
        assert (part.test, part.hash, part.train_hash) == (whole.test, whole.hash, whole.train_hash)
    assert held_out(whole, 0.0, 1) is whole
    with pytest.raises(InputError, match="leaves none to train on: give a smaller --calibration-share"):
        held_out(whole, 0.99, 1)


def test_a_run_with_held_out_images_has_thresholds_from_their_scores(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    directory = run(config(calibration_share=0.25), tmp_path / "runs")
    record = read_record(directory)
    assert (record.dataset.train_normal, record.dataset.calibration_normal) == (6, 2)
    assert record.config["calibration_share"] == 0.25
    held = read_scores(directory, CALIBRATION_FILE)
    trained_on = held_out(load_dataset(Path(record.config["dataset"])), 0.25, 42)
    assert [row.id for row in held] == [sample.id for sample in trained_on.calibration]
    kinds = [(each.level, each.rule, each.fitted_on) for each in record.thresholds]
    assert kinds == [
        ("image", "fpr=0.01", "held-out normal images"),
        ("image", "f1", "test set"),
        ("pixel", "fpr=0.01", "held-out normal images"),
        ("pixel", "f1", "test set"),
    ]
    by_rate = record.thresholds[0]
    assert by_rate.value == at_false_alarm_rate(np.array([row.score for row in held]), 0.01)[0]
    for each in record.thresholds[:2]:
        scores = read_scores(directory)
        assert each.missed is not None
        assert each.false_alarms is not None
        assert each.missed.count == sum(row.score <= each.value for row in scores if row.label)
        assert each.false_alarms.count == sum(row.score > each.value for row in scores if not row.label)
        assert each.missed.of + each.false_alarms.of == len(scores)
    shown = CliRunner().invoke(show, [str(directory)], catch_exceptions=False).stdout
    assert "fpr=0.01" in shown
    assert "the test set itself: elsewhere it does worse" in shown
    (directory / CALIBRATION_FILE).write_text("changed")
    with pytest.raises(InputError, match="changed after the run"):
        read_scores(directory, CALIBRATION_FILE)


def test_without_held_out_images_thresholds_are_those_of_the_test_set(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    directory = run(config(), tmp_path / "runs")
    record = read_record(directory)
    assert [(each.level, each.rule) for each in record.thresholds] == [("image", "f1"), ("pixel", "f1")]
    assert not (directory / CALIBRATION_FILE).exists()
    with pytest.raises(InputError, match="a run with another calibration_share"):
        run(config(calibration_share=0.25), tmp_path / "runs")
