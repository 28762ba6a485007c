"""Trainings that cannot go on: one clear line that says what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.config import RunConfig
from benchmark.runs.record import read_record, read_status
from benchmark.sweep.job import PROGRAM
from benchmark.training.runner import run
from cocoad.base.errors import CocoadError, InputError, ResourceError

Make = Callable[..., RunConfig]


def test_a_loss_that_is_not_finite_stops_the_run(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.loss  # type: ignore[attr-defined]
    monkeypatch.setattr(tiny, "loss", lambda self, images: whole(self, images) * float("inf"))
    with pytest.raises(
        CocoadError, match=r"the loss became (nan|inf) in epoch 1, by step 2: lower --learning-rate"
    ):
        run(config(checkpoint_every_s=1e9), tmp_path)
    status = read_status(next(tmp_path.glob("tiny*")))
    assert status is not None
    assert status.state == "failed"
    assert "the loss became" in status.message


@pytest.mark.parametrize(
    ("limit", "advice"), [(3, "give --batch-size 2, which fits"), (0, "not even a batch of 1 fits")]
)
def test_out_of_memory_names_the_batch_that_would_fit(
    limit: int, advice: str, config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny.loss  # type: ignore[attr-defined]

    def loss(self: object, images: torch.Tensor) -> torch.Tensor:
        if len(images) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return whole(self, images)  # type: ignore[no-any-return]

    monkeypatch.setattr(tiny, "loss", loss)
    with pytest.raises(
        ResourceError, match=f"out of memory on cpu with 4 images in a process's batch: {advice}"
    ):
        run(config(), tmp_path)


def test_out_of_memory_after_the_last_batch_says_so(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solve(self: object, generator: torch.Generator) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")

    monkeypatch.setattr("benchmark.methods.floors.MeanImage.fit_end", solve)
    with pytest.raises(ResourceError, match="out of memory while MeanImage takes together what it saw"):
        run(config(method="mean-image"), tmp_path)


def test_what_the_failed_step_allocated_is_free_while_a_batch_that_fits_is_sought(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, allocated = tiny.loss, []  # type: ignore[attr-defined]

    def loss(self: object, images: torch.Tensor) -> torch.Tensor:
        if any(tensor() is not None for tensor in allocated):
            raise torch.OutOfMemoryError("CUDA out of memory: the failed step still has it all")
        large = images.repeat(8, 1, 1, 1)
        allocated.append(weakref.ref(large))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, images)  # type: ignore[no-any-return]

    monkeypatch.setattr(tiny, "loss", loss)
    with pytest.raises(ResourceError, match="give --batch-size 2, which fits"):
        run(config(), tmp_path)


def test_another_error_in_a_step_is_not_taken_for_lack_of_memory(
    config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(self: object, images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("a bug")

    monkeypatch.setattr(tiny, "loss", loss)
    with pytest.raises(RuntimeError, match="a bug"):
        run(config(), tmp_path)


def test_a_full_disk_for_the_cache_is_said_and_the_run_goes_on_without(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: object, needed: int) -> None:
        raise ResourceError("the pixel cache needs 24.0 GB more")

    monkeypatch.setattr("benchmark.datasets.cache.PixelCache._check_room", full)
    run(config(cache=tmp_path / "cache"), tmp_path / "a")
    assert "needs 24.0 GB more; images are decoded each time" in capsys.readouterr().err


def test_eval_only_needs_a_checkpoint(config: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--eval-only needs --checkpoint FILE"):
        run(config(eval_only=True), tmp_path)


def test_a_checkpoint_is_scored_without_training_and_scores_as_its_run_did(
    config: Make, tmp_path: Path
) -> None:
    from benchmark.runs.record import read_record

    trained = run(config(), tmp_path / "a")
    scored = run(config(checkpoint=trained / "weights.safetensors", eval_only=True), tmp_path / "b")
    first, second = read_record(trained), read_record(scored)
    assert second.metrics == first.metrics
    assert second.epochs is None
    assert second.cost.train_seconds is None
    assert second.method.weights.startswith("weights.safetensors sha256:")


def test_weights_are_scored_on_another_dataset_and_the_record_says_whose_they_are(
    config: Make, tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = run(config(), tmp_path / "a")
    weights = trained / "weights.safetensors"
    mask = next((tiles / "ground_truth").rglob("*.png"))
    Image.fromarray(np.asarray(Image.open(mask)).T.copy()).rotate(90).save(mask)
    corrected = run(config(checkpoint=weights, eval_only=True), tmp_path / "b")
    assert read_record(corrected).method.trained_on is None
    (tiles / "train" / "good" / "0.png").unlink()
    other = read_record(run(config(checkpoint=weights, eval_only=True), tmp_path / "c"))
    assert re.fullmatch(r"tiles \([0-9a-f]{8}\)", str(other.method.trained_on))
    assert f"trained on {other.method.trained_on}" in capsys.readouterr().err


def test_weights_of_another_size_are_refused(config: Make, tmp_path: Path) -> None:
    trained = run(config(), tmp_path / "a")
    with pytest.raises(InputError, match="has image_size 64, this run 32"):
        run(config(checkpoint=trained / "weights.safetensors", image_size=32), tmp_path / "b")


def test_a_batch_that_does_not_divide_is_refused(config: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 training images do not fill a batch of 9"):
        run(config(recipe=replace(config().recipe, batch_size=9)), tmp_path)


def squeezed(self: Any, images: torch.Tensor) -> torch.Tensor:
    """Reconstruct so that the batch norm sees one value of each channel of an image."""
    small = torch.nn.functional.adaptive_avg_pool2d(images, 4)
    return self.net(small).mean((2, 3), keepdim=True).expand_as(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("batch_size", "advice"), [(1, "a larger --batch-size"), (7, "recipe.drop_last=true")]
)
def test_a_batch_norm_that_would_see_a_single_value_is_said_before_the_training(
    batch_size: int, advice: str, config: Make, tiny: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, "reconstructed", squeezed)
    recipe = replace(config().recipe, batch_size=batch_size, drop_last=False)
    with pytest.raises(InputError, match=f"batch norms that see a single value .*: give .*{advice}"):
        run(config(recipe=recipe), tmp_path)
    assert not list(tmp_path.rglob("train_log.csv"))
    run(config(recipe=replace(recipe, batch_size=4)), tmp_path / "fine")


def test_a_termination_is_as_good_as_ctrl_c_and_says_how_to_go_on(tiles: Path, tmp_path: Path) -> None:
    arguments = [
        "--method",
        "invad-lite",
        "--backbone",
        "test_resnet",
        "--weights",
        "random",
        "--device",
        "cpu",
    ]
    arguments += ["--dataset", str(tiles), "--image-size", "64", "--batch-size", "2", "--epochs", "5000"]
    arguments += ["--checkpoint-every", "0", "--out", str(tmp_path / "runs")]
    command = [sys.executable, PROGRAM, "run", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while len(list(tmp_path.glob("runs/*/checkpoints/step-*"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        said = process.communicate()[1]
    assert process.returncode == 130
    assert re.search(r"interrupted at epoch \d+ of 5000: the same command goes on", said)
    assert said.endswith("error: interrupted\n")
