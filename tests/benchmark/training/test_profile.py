"""Measured speeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.cli.profile import command
from benchmark.config import RunConfig
from benchmark.training.profile import Speed, known_speed, measure, remember

Make = Callable[..., RunConfig]


def test_a_measured_speed_is_remembered_for_its_own_configuration_only(config: Make, tmp_path: Path) -> None:
    mine = config(cache=tmp_path)
    assert known_speed(mine) is None
    (speed,) = measure(mine, [4], ["32-true"], seconds=0.05)
    assert speed.train_images_per_s is not None
    assert speed.train_images_per_s > 0
    remember(mine, [speed])
    assert known_speed(mine) == speed
    assert known_speed(config(cache=tmp_path, image_size=32)) is None


def test_the_hours_are_those_of_the_official_splits() -> None:
    hours = Speed(32, "32-true", 100.0, 200.0, None).hours(epochs=10)
    from cocoad.partition import partition

    counts = [partition(split).official for split in range(4)]
    train = sum(count.train_normal for count in counts)
    test = sum(count.test_normal + count.test_anomalous for count in counts)
    assert hours == pytest.approx((train * 10 / 100 + test / 200) / 3600)


@pytest.mark.parametrize("method", ["invad-lite", "feature-distance"])
def test_the_command_prints_images_per_second_and_hours(method: str, tmp_path: Path) -> None:
    arguments = ["--method", method, "--backbone", "test_resnet", "--image-size", "64", "--batch-size", "2"]
    arguments += ["--seconds", "0", "--device", "cpu", "--cache", str(tmp_path)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "training, images/s" in result.output
    assert "hours" in result.output
    assert "32-true" in result.output
