"""Measured speeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode

from benchmark.cli.profile import command
from benchmark.config import RunConfig
from benchmark.methods.invad.method import InvADLite
from benchmark.profiling.profile import measured, parts_of_a_step
from benchmark.profiling.speeds import SPEEDS_FILE, Speed, known_speed, remember

Make = Callable[..., RunConfig]


def test_a_measured_speed_is_remembered_for_its_own_configuration_only(config: Make, tmp_path: Path) -> None:
    mine = config(cache=tmp_path)
    assert known_speed(mine) is None
    speed = measured(mine, seconds=0.05)
    assert speed.train_images_per_s is not None
    assert speed.train_images_per_s > 0
    remember(mine, [speed], "cpu")
    assert known_speed(mine) == speed
    assert known_speed(config(cache=tmp_path, image_size=32)) is None


def test_remembered_speeds_that_are_none_are_measured_anew(config: Make, tmp_path: Path) -> None:
    mine = config(cache=tmp_path)
    remember(mine, [Speed(mine.recipe.batch_size, mine.recipe.precision, 1.0)], "cpu")
    known = json.loads((tmp_path / SPEEDS_FILE).read_bytes())
    for wrong in ({"batch_size": "many"}, [], 3):
        (tmp_path / SPEEDS_FILE).write_text(json.dumps(dict.fromkeys(known, wrong)))
        assert known_speed(mine) is None


def test_the_operations_of_a_training_step_are_counted(config: Make) -> None:
    """What is frozen goes forward, what is trained also backward: twice as much again, less where nothing needs it."""
    speed = measured(config(method="invad-lite", backbone="test_resnet", image_size=64), seconds=0)
    assert speed.train_images_per_s is not None
    assert speed.train_tflops is not None
    method = InvADLite(64, "test_resnet")
    images = torch.zeros(1, 3, 64, 64)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        features = method.backbone(images)
    encoder = counter.get_total_flops()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        method.reconstruct(features)
    trained = counter.get_total_flops()
    counted = speed.train_tflops * 1e12 / speed.train_images_per_s
    assert encoder + 2.5 * trained < counted <= encoder + 3 * trained


def test_the_parts_of_a_step_add_up_and_name_the_convolutions_first(config: Make) -> None:
    parts = parts_of_a_step(config(method="invad-lite", backbone="test_resnet", image_size=64))
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert {"convolutions", "normalisation", "optimiser"} < {part.kind for part in parts}
    assert [part.seconds for part in parts] == sorted((part.seconds for part in parts), reverse=True)


def test_the_hours_are_those_of_the_official_splits() -> None:
    hours = Speed(32, "32-true", 100.0, 200.0, None).hours(lambda images: 10 * images)
    from cocoad.coco.partition import partition

    counts = [partition(split).official for split in range(4)]
    train = sum(count.train_normal for count in counts)
    test = sum(count.test_normal + count.test_anomalous for count in counts)
    assert hours == pytest.approx((train * 10 / 100 + test / 200) / 3600)


@pytest.mark.parametrize("method", ["invad-lite", "feature-distance"])
def test_the_command_prints_images_per_second_and_hours(method: str, tmp_path: Path) -> None:
    arguments = ["--method", method, "--backbone", "test_resnet", "--image-size", "64", "--batch-size", "2"]
    arguments += ["--seconds", "0", "--device", "cpu", "--cache", str(tmp_path), "--breakdown"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "training, images/s" in result.output
    assert "hours" in result.output
    assert "32-true, batch 2" in result.output
    assert "convolutions" in result.output
