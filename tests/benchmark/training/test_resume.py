"""Interrupted trainings: whatever the moment, going on gives the bits of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from benchmark.config import RunConfig
from benchmark.methods.registry import facts_of, method_class
from benchmark.runs import identity
from benchmark.runs.evaluations import read_evaluations
from benchmark.runs.record import Record, read_record, read_status
from benchmark.training import tensorfile
from benchmark.training.checkpoint import CHECKPOINTS_DIR
from benchmark.training.runner import run
from cocoad.base.errors import InputError, ResourceError

Make = Callable[..., RunConfig]
SIZE = 64
STEPS = 6  # 8 images in batches of 4, for 3 epochs


class PowerCutError(Exception):
    pass


def weights(directory: Path) -> bytes:
    return (directory / "weights.safetensors").read_bytes()


def losses(directory: Path) -> list[str]:
    return [line.split(",")[2] for line in (directory / "train_log.csv").read_text().splitlines()[1:]]


def results(record: Record) -> tuple[object, ...]:
    return record.metrics, record.per_group


def cut_at(step: int, method: type, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = method.loss, 0

    def loss(self: object, images: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == step:
            raise PowerCutError
        return whole(self, images)  # type: ignore[no-any-return]

    monkeypatch.setattr(method, "loss", loss)


def test_a_run_in_half_precision_goes_on_to_the_same_bits(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "has_native_bf16", lambda: True)
    half = config(checkpoint_every_s=0, recipe=replace(config().recipe, precision="bf16-mixed"))
    whole = run(half, tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_at(4, tiny, patch)
        with pytest.raises(PowerCutError):
            run(half, tmp_path / "cut")
    resumed = run(half, tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    assert weights(resumed) != weights(run(config(), tmp_path / "single"))


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_run_cut_at_any_step_goes_on_to_the_same_bits(
    step: int, config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(config(checkpoint_every_s=0), tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_at(step, tiny, patch)
        with pytest.raises(PowerCutError):
            run(config(checkpoint_every_s=0), tmp_path / "cut")
    resumed = run(config(checkpoint_every_s=0), tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    assert losses(resumed) == losses(whole)
    assert results(read_record(resumed)) == results(read_record(whole))
    assert not (resumed / CHECKPOINTS_DIR).exists()


def test_with_force_a_cut_run_starts_again(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut_at(5, tiny, patch)
        with pytest.raises(PowerCutError):
            run(config(checkpoint_every_s=0), tmp_path)
    seen = []
    whole = tiny.loss  # type: ignore[attr-defined]
    monkeypatch.setattr(tiny, "loss", lambda self, images: (seen.append(len(images)), whole(self, images))[1])
    run(config(checkpoint_every_s=0), tmp_path, force=True)
    assert seen == [4] * STEPS


def test_the_last_two_checkpoints_are_kept_and_a_damaged_one_gives_way_to_the_one_before(
    config: Make,
    tiny: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = run(config(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_at(6, tiny, patch)
        with pytest.raises(PowerCutError):
            run(config(checkpoint_every_s=0), tmp_path / "cut")
    folder = next((tmp_path / "cut").iterdir()) / CHECKPOINTS_DIR
    assert [path.name for path in sorted(folder.iterdir())] == [
        "step-000000004.safetensors",
        "step-000000005.safetensors",
    ]
    content = bytearray((folder / "step-000000005.safetensors").read_bytes())
    content[-100] ^= 1  # a flipped bit in a tensor, which the file format itself does not notice
    (folder / "step-000000005.safetensors").write_bytes(content)
    resumed = run(config(), tmp_path / "cut")
    assert (
        "step-000000005.safetensors is damaged: the checkpoint before it is tried" in capsys.readouterr().err
    )
    assert weights(resumed) == weights(whole)


def test_a_truncated_checkpoint_with_none_before_it_is_recognised(
    config: Make,
    tiny: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        cut_at(2, tiny, patch)
        with pytest.raises(PowerCutError):
            run(config(checkpoint_every_s=0), tmp_path)
    (path,) = (next(tmp_path.glob("tiny*")) / CHECKPOINTS_DIR).iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    run(config(), tmp_path)
    assert "is damaged: none is before it, training starts again" in capsys.readouterr().err


def test_a_checkpoint_of_another_configuration_is_refused_by_name(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut_at(3, tiny, patch)
        with pytest.raises(PowerCutError):
            run(config(checkpoint_every_s=0), tmp_path)
    with pytest.raises(InputError, match="an interrupted run with another deterministic: give --overwrite"):
        run(config(deterministic=False), tmp_path)


@pytest.mark.slow
def test_after_kill_9_the_command_goes_on_to_the_same_bits(tiles: Path, tmp_path: Path) -> None:
    arguments = [
        "--method",
        "invad-lite",
        "--backbone",
        "test_resnet",
        "--weights",
        "random",
        "--dataset",
        str(tiles),
    ]
    arguments += [
        "--image-size",
        "64",
        "--epochs",
        "8",
        "--batch-size",
        "2",
        "--device",
        "cpu",
        "--checkpoint-every",
        "0",
    ]
    program = [sys.executable, "-m", "benchmark", "run", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*program, "--out", str(tmp_path / "whole")], check=True, env=environment, capture_output=True
    )
    cut = [*program, "--out", str(tmp_path / "cut")]
    started = subprocess.Popen(cut, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut").glob("*/checkpoints/step-00000001*")):  # the tenth step or a later one
        assert time.monotonic() < deadline
        assert started.poll() is None
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    directory = next((tmp_path / "cut").iterdir())
    assert not (directory / "result.json").exists()
    status = read_status(directory)
    assert status is not None
    assert status.state == "running"
    subprocess.run([*cut, "--resume"], check=True, env=environment, capture_output=True)
    whole = next((tmp_path / "whole").iterdir())
    assert weights(directory) == weights(whole)
    assert results(read_record(directory)) == results(read_record(whole))


def cut(config: RunConfig, out: Path, step: int, method: type, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave what a run leaves that dies in ``step``."""
    with monkeypatch.context() as patch:
        cut_at(step, method, patch)
        with pytest.raises(PowerCutError):
            run(config, out)
    return next(out.iterdir())


def test_a_cut_run_says_that_it_goes_on_and_needs_its_own_training_images_and_no_more(
    config: Make, tiny: type, tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    directory = cut(config(checkpoint_every_s=0), tmp_path / "runs", 5, tiny, monkeypatch)
    image = tiles / "train" / "good" / "0.png"
    content = image.read_bytes()
    image.write_bytes((tiles / "train" / "good" / "1.png").read_bytes() + b"another image")
    with pytest.raises(InputError, match=r"is of another run \(train_hash differ\): give --overwrite"):
        run(config(), tmp_path / "runs")
    image.write_bytes(content)
    next((tiles / "test" / "good").glob("*.png")).unlink()
    capsys.readouterr()
    run(config(score_size=32), tmp_path / "runs")
    assert "at epoch 2 of 3: going on" in capsys.readouterr().err
    assert read_record(directory).dataset.score_size == 32


def test_what_a_killed_process_left_beside_its_files_is_cleared(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cut(config(checkpoint_every_s=0), tmp_path, 5, tiny, monkeypatch)
    for name in (".tmpA", ".step-000000003.0123456789abcdef.partial.safetensors"):
        (directory / CHECKPOINTS_DIR / name).touch()
    for name in (".tmpB", ".weights.0123456789abcdef.partial.safetensors"):
        (directory / name).touch()
    run(config(), tmp_path)
    assert not (directory / CHECKPOINTS_DIR).exists()
    assert {path.name for path in directory.glob(".*")} == {".lock"}


@pytest.mark.parametrize("step", [1, 4])
def test_a_full_disk_is_one_line_and_the_last_sound_checkpoint_stays(
    step: int, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(config(), tmp_path / "whole")
    save, calls = tensorfile.save_file, 0

    def full(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > step:
            raise SafetensorError('IoError(Os { code: 28, message: "No space left on device" })')
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(tensorfile, "save_file", full)
        with pytest.raises(
            ResourceError, match=r"\(No space left on device\): the last sound checkpoint stays"
        ):
            run(config(checkpoint_every_s=0), tmp_path / "full")
    folder = next((tmp_path / "full").iterdir()) / CHECKPOINTS_DIR
    assert [path.name for path in folder.iterdir()][-1:] == [f"step-{step:09d}.safetensors"] or step > 1
    assert len(list(folder.iterdir())) == min(step, 2)
    assert weights(run(config(), tmp_path / "full")) == weights(whole)


def test_looks_at_the_test_set_change_nothing_and_end_with_the_result(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(config(), tmp_path / "whole")
    looking = config(evaluate_every=1, checkpoint_every_s=0)
    cut(looking, tmp_path / "cut", 6, tiny, monkeypatch)
    looked = run(looking, tmp_path / "cut")
    assert weights(looked) == weights(whole)
    looks = read_evaluations(looked)
    assert [(look.epoch, look.images) for look in looks] == [(1, 8), (2, 16), (3, 24)]
    assert looks[-1].metrics == read_record(looked).metrics == read_record(whole).metrics
    assert looks[0].metrics != looks[-1].metrics


def test_a_length_in_steps_ends_within_an_epoch_and_goes_on_after_a_cut(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(
        config().recipe, iterations=5, schedule="cosine", warmup_iterations=2, optimizer="stable-adamw"
    )
    short = config(recipe=recipe, checkpoint_every_s=0)
    whole = run(short, tmp_path / "whole")
    cut(short, tmp_path / "cut", 4, tiny, monkeypatch)
    assert weights(run(short, tmp_path / "cut")) == weights(whole)
    rows = [line.split(",") for line in (whole / "train_log.csv").read_text().splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [("1", "2"), ("2", "4"), ("3", "5")]
    assert float(rows[0][3]) == 1e-2
    assert read_record(whole).epochs == 3


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("dinomaly2", "vit_tiny_patch16_224"),
        ("inp-former", "vit_tiny_patch16_224"),
        ("cflow", "test_resnet"),
    ],
)
def test_a_method_with_a_schedule_groups_and_state_of_its_own_goes_on_to_the_same_bits(
    name: str, backbone: str, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(facts_of(name).presets["paper"], iterations=5, batch_size=4, warmup_iterations=2)
    asked = config(method=name, backbone=backbone, weights="random", recipe=recipe, checkpoint_every_s=0)
    whole = run(asked, tmp_path / "whole")
    with monkeypatch.context() as patch:
        cut_at(4, method_class(name), patch)
        with pytest.raises(PowerCutError):
            run(asked, tmp_path / "cut")
    resumed = run(asked, tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    record = read_record(resumed)
    assert results(record) == results(read_record(whole))
    assert (record.dataset.score_size or SIZE) == (facts_of(name).score_size or SIZE)
