"""What a run says where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.config import RunConfig
from benchmark.runs.record import read_status
from benchmark.training import header
from benchmark.training.reporter import SILENCE_S, Reporter
from benchmark.training.runner import run

Make = Callable[..., RunConfig]


def test_a_run_tells_what_it_does_and_a_line_for_each_epoch(
    config: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = run(config(score_size=32, evaluate_every=2), tmp_path / "runs")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "method: tiny, weights random; 3 epochs in batches of 4, preset paper"
    assert lines[1].startswith(
        "data: tiles: 8 images to train on, 6 to score, 64 px, scored at 32 px; cache in "
    )
    assert lines[2] == "device: cpu, 1 thread, 32-true"
    assert lines[3] == f"writes to: {directory}"
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in epochs] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    assert all("loss " in line and "images/s" in line for line in epochs)
    looks = [line for line in lines if line.startswith("test set after epoch ")]
    assert [line.split(":")[0] for line in looks] == ["test set after epoch 2", "test set after epoch 3"]


def test_a_driver_without_a_gpu_for_torch_is_said_loudly(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "version").touch()
    monkeypatch.setattr(header, "NVIDIA_DRIVER", tmp_path / "version")
    run(config(), tmp_path / "runs")
    assert (
        "WARNING: this machine has an NVIDIA driver, and this run takes the processor"
        in capsys.readouterr().err
    )


def test_a_long_epoch_says_something_every_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reporter = Reporter(tmp_path, 2, 5, None, speaks=True)
    for step in range(1, 101):
        now += 3.0
        reporter.on_step(step, 1000, torch.tensor(0.5), 10.0, 0.25)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == int(300 / SILENCE_S)
    assert lines[-1].startswith("training, epoch 3 of 5, steps: loss 0.5, 10 images/s, waiting 25%, ")
    assert lines[-1].endswith("min to go: 100 of 1,000")
    status = read_status(tmp_path)
    assert status is not None
    assert (status.epoch, status.epochs) == (2, 5)


def test_other_processes_than_the_first_say_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(tmp_path, 0, 5, None, speaks=False)
    reporter.warn("something")
    reporter.on_epoch(1)
    assert capsys.readouterr().err == ""
    assert read_status(tmp_path) is None
