"""The processor's threads of a training: as told, else as measured; kept, said, and given back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning_fabric import Fabric

from benchmark.config import RunConfig
from benchmark.methods.registry import create
from benchmark.runs.record import read_record
from benchmark.training import runner, threads

Make = Callable[..., RunConfig]
STEPS = 400


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in threads.SAID_BY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "WORTH", 1)
    monkeypatch.setattr(os, "getloadavg", lambda: (threads.IDLE, 0.0, 0.0))
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def measuring(monkeypatch: pytest.MonkeyPatch, *, one: float) -> list[int]:
    """Have measured steps take ``one`` second on one thread and one on two; return the calls."""
    calls: list[int] = []

    def measured(config: Any, method: Any, steps: int, fabric: Any) -> dict[int, float]:
        calls.append(steps)
        return {2: 1.0, 1: one}

    monkeypatch.setattr(threads, "measured", measured)
    return calls


@pytest.mark.parametrize(("one", "chosen"), [(0.3, 1), (0.85, 2), (1.9, 2)])
def test_a_single_thread_is_taken_where_it_is_clearly_faster(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, one: float, chosen: int
) -> None:
    calls = measuring(monkeypatch, one=one)
    directory = runner.run(config(), tmp_path / "runs")
    assert calls == [6]
    assert read_record(directory).environment["threads"] == chosen
    assert yaml.safe_load((directory / "config.yaml").read_text())["threads"] == chosen
    said = capfd.readouterr().err
    assert f"device: cpu, {chosen} thread" in said
    assert f"threads: {chosen}, as a step took {one:.2g} s on one thread and 1 s on 2" in said
    assert torch.get_num_threads() == 2  # as before


def test_what_is_told_is_taken_unmeasured(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measuring(monkeypatch, one=0.1)
    assert _threads(runner.run(config(threads=2), tmp_path / "told")) == 2
    one_pass = replace(config(), method="mean-image")
    assert _threads(runner.run(one_pass, tmp_path / "one pass")) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert _threads(runner.run(config(), tmp_path / "environment")) == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(threads, "WORTH", 7)
    assert _threads(runner.run(config(), tmp_path / "short")) == 2
    monkeypatch.setattr(threads, "WORTH", 6)
    monkeypatch.setattr(os, "getloadavg", lambda: (threads.IDLE - 0.1, 9.0, 9.0))
    assert _threads(runner.run(config(), tmp_path / "idle")) == 2
    assert not calls


def _threads(directory: Path) -> int:
    return int(read_record(directory).environment["threads"])


def test_a_training_that_goes_on_keeps_its_threads(
    config: Make, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring(monkeypatch, one=0.1)
    whole, steps = tiny.loss, iter(range(100))

    def loss(self: Any, images: torch.Tensor) -> torch.Tensor:
        if next(steps) == 4:
            raise KeyboardInterrupt
        return whole(self, images)  # type: ignore[no-any-return]

    monkeypatch.setattr(tiny, "loss", loss)
    settings = config(checkpoint_every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        runner.run(settings, tmp_path / "runs")
    assert torch.get_num_threads() == 2
    calls = measuring(monkeypatch, one=1.9)
    assert _threads(runner.run(settings, tmp_path / "runs")) == 1
    assert not calls
    assert _threads(runner.run(settings, tmp_path / "runs", force=True)) == 2


def test_a_finished_run_is_the_same_whatever_its_threads(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring(monkeypatch, one=0.1)
    directory = runner.run(config(), tmp_path / "runs")
    made = (directory / "result.json").stat().st_mtime_ns
    assert runner.run(config(threads=2), tmp_path / "runs") == directory
    assert (directory / "result.json").stat().st_mtime_ns == made


@pytest.mark.parametrize("name", ["tiny", "rd"])
def test_measuring_leaves_the_method_and_chance_as_they_were(config: Make, name: str) -> None:
    backbone = None if name == "tiny" else "test_resnet"
    method = create(name, 64, backbone)
    settings = replace(config(), method=name, backbone=backbone)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    state, training = torch.get_rng_state(), method.training
    fabric = Fabric(accelerator="cpu", precision="bf16-mixed")
    seconds = threads.measured(settings, method, STEPS, fabric)
    assert sorted(seconds) == [1, 2]
    assert all(value > 0 for value in seconds.values())
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert method.training == training
    assert all(parameter.grad is None for parameter in method.parameters())
    assert torch.get_num_threads() == 2
