"""Which runs a sweep has, how far they are, and how long the rest takes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.config import RunConfig, Settings, to_plain
from benchmark.datasets import load_dataset
from benchmark.methods.registry import facts_of
from benchmark.profiling.speeds import Speed, remember
from benchmark.runs.identity import resolved
from benchmark.runs.record import Status, write_status
from benchmark.sweep.plan import PlannedRun, plan, to_json, unknown_speeds
from benchmark.sweep.request import MethodSettings, Request
from cocoad.base.errors import InputError

OPTIONS: dict[str, Any] = {"image_size": 64, "backbone": "test_resnet", "weights": "random", "device": "cpu"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def grid(tiles: Path, *methods: str, **changes: Any) -> Request:
    options = {**OPTIONS, "cache": tiles.parent / "cache", **changes}
    entries = tuple(
        MethodSettings(method, "--methods", settings=Settings.of_options(options)) for method in methods
    )
    return Request(entries, (tiles,), (0,), (0,))


def only(asked: Request, out: Path, **how: Any) -> PlannedRun:
    (found,) = plan(asked, out, **how)
    return found


def settled(run: PlannedRun, **changes: Any) -> RunConfig:
    return resolved(replace(run.config, **changes), facts_of(run.config.method))


def begun(run: PlannedRun, status: Status, **changes: Any) -> None:
    """Leave what a run leaves that did not end well."""
    write_status(run.directory, status)
    config = settled(run, **changes)
    (run.directory / "config.yaml").write_text(yaml.safe_dump(to_plain(config)))
    (run.directory / "checkpoints").mkdir(exist_ok=True)
    (run.directory / "checkpoints" / "step-000000007.safetensors").touch()


def finished(run: PlannedRun, tiles: Path, make_run: Any, **changes: Any) -> None:
    """Leave what a finished run leaves."""
    config = to_plain(settled(run, **changes))
    make_run(run.directory.name, run.config.method, config=config, dataset={"hash": load_dataset(tiles).hash})


def test_one_model_per_class_is_a_run_of_each_class(tiles: Path, out: Path, tmp_path: Path) -> None:
    for name in ("screw", "wood"):
        shutil.copytree(tiles, tmp_path / "many" / name)
    asked = replace(grid(tmp_path / "many", "mean-image", "rd"), per_class=True)
    found = plan(asked, out)
    assert [run.directory.name for run in found] == [
        f"{method}_many_{name}_seed-0" for method in ("mean-image", "rd") for name in ("screw", "wood")
    ]
    assert [run.config.classes for run in found[:2]] == [("screw",), ("wood",)]


def test_runs_come_seed_by_seed_and_splits_of_a_dataset_without_any_are_one(tiles: Path, out: Path) -> None:
    asked = replace(grid(tiles, "mean-image", "rd"), splits=(0, 1, 2, 3), seeds=(0, 1))
    assert [run.directory.relative_to(out).name for run in plan(asked, out)] == [
        "mean-image_tiles_seed-0",
        "rd_tiles_seed-0",
        "mean-image_tiles_seed-1",
        "rd_tiles_seed-1",
    ]
    assert not out.exists()


def test_the_expected_hours_come_from_the_remembered_speed(tiles: Path, out: Path) -> None:
    asked = grid(tiles, "invad-lite", epochs=90, batch_size=2)
    run = only(asked, out)
    assert run.hours is None
    (command,) = unknown_speeds([run])
    assert command.startswith(
        "bench profile --method invad-lite --batch-size 2 --image-size 64 --backbone test_resnet"
    )
    remember(settled(run), [Speed(2, "32-true", 0.5, 2.0, None)], "cpu")
    known = only(asked, out)
    assert known.hours == pytest.approx((4 * 90 / 0.5 + 4 / 2.0) / 3600)  # 4 images to train on, 4 to test on
    assert to_json([known])["expected_hours"] == pytest.approx(known.hours)
    begun(known, Status("running", 30, 90))
    assert only(asked, out).hours == pytest.approx((4 * 60 / 0.5 + 4 / 2.0) / 3600)


def test_a_method_of_one_pass_takes_one_epoch(tiles: Path, out: Path) -> None:
    asked = grid(tiles, "mean-image")
    remember(settled(only(asked, out)), [Speed(32, "32-true", 1.0, 2.0, None)], "cpu")
    assert only(asked, out).hours == pytest.approx((4 / 1.0 + 4 / 2.0) / 3600)


def test_a_finished_run_is_finished_also_when_it_ran_on_another_device(
    tiles: Path, out: Path, make_run: Any
) -> None:
    run = only(grid(tiles, "mean-image", device="auto"), out)
    finished(run, tiles, make_run, device="cpu")
    assert only(grid(tiles, "mean-image", device="auto"), out).state == "finished"
    assert only(grid(tiles, "mean-image", device="auto"), out, overwrite=True).state == "to do"


@pytest.mark.parametrize("change", [{"image_size": 32}, {"weights": "imagenet"}])
def test_a_finished_run_of_another_configuration_is_refused(
    change: dict[str, Any], tiles: Path, out: Path, make_run: Any
) -> None:
    finished(only(grid(tiles, "mean-image"), out), tiles, make_run, **change)
    with pytest.raises(
        InputError, match=f"another {next(iter(change))}.*: give --overwrite, or another --out"
    ):
        plan(grid(tiles, "mean-image"), out)


def test_a_finished_run_of_another_version_of_the_dataset_is_refused(
    tiles: Path, out: Path, make_run: Any
) -> None:
    finished(only(grid(tiles, "mean-image"), out), tiles, make_run)
    next((tiles / "train" / "good").glob("*.png")).unlink()
    with pytest.raises(InputError, match="another version of the dataset"):
        plan(grid(tiles, "mean-image"), out)


def test_an_edited_record_is_refused(tiles: Path, out: Path, make_run: Any, edit_record: Any) -> None:
    run = only(grid(tiles, "mean-image"), out)
    finished(run, tiles, make_run)
    edit_record(run.directory, seed=9)
    with pytest.raises(InputError, match="edited after the run: give --overwrite"):
        plan(grid(tiles, "mean-image"), out)


def test_an_interrupted_run_is_resumed_only_under_its_own_configuration(tiles: Path, out: Path) -> None:
    asked = grid(tiles, "invad-lite", epochs=5)
    run = only(asked, out)
    begun(run, Status("running", 2, 5))
    found = only(asked, out)
    assert (found.state, found.resume, found.detail) == ("to resume", True, "at epoch 2 of 5")
    begun(run, Status("running", 2, 5), weights="imagenet")
    with pytest.raises(InputError, match="an interrupted run with another weights: give --overwrite"):
        only(asked, out)
    assert only(asked, out, overwrite=True).detail == "again"
    (run.directory / "checkpoints" / "step-000000007.safetensors").unlink()  # nothing is lost then
    assert (only(asked, out).state, only(asked, out).resume) == ("to do", False)


def test_a_run_that_failed_is_tried_again_and_a_running_one_left_alone(
    tiles: Path, out: Path, held_elsewhere: Any
) -> None:
    asked = grid(tiles, "mean-image")
    begun(only(asked, out), Status("failed", message="disk full"))
    found = only(asked, out)
    assert (found.state, found.detail, found.to_start) == ("failed before", "because disk full", True)
    begun(found, Status("running", 0, 5))
    with held_elsewhere(found.directory):
        found = only(asked, out, overwrite=True)
    assert (found.state, found.to_start) == ("running", False)


def test_a_method_that_comes_twice_needs_a_name(tiles: Path, out: Path) -> None:
    asked = grid(tiles, "patchcore", "patchcore")
    few, many = asked.entries
    many = replace(
        many, where="plan.yaml: methods[1]", settings=Settings(many.settings.fields, {}, {"memory_bank": 50})
    )
    with pytest.raises(InputError, match=r"two runs of the plan would write .*patchcore_tiles_seed-0"):
        plan(replace(asked, entries=(few, many)), out)
    named = plan(replace(asked, entries=(few, replace(many, name="small"))), out)
    assert [run.directory.parent for run in named] == [out, out / "small"]
    assert named[1].config.method_options == {"memory_bank": 50}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (MethodSettings("nonsense", "--methods"), "--methods: no method 'nonsense': there are invad"),
        (
            MethodSettings("padim", "p.yaml: methods[0]", settings=Settings(recipe={"epochs": "many"})),
            "p.yaml: methods[0]: options: Expected",
        ),
        (
            MethodSettings("padim", "p.yaml: methods[0]", settings=Settings(options={"rang": 3})),
            "does not take these options: .*'rang'",
        ),
    ],
)
def test_a_wrong_method_or_option_is_refused_before_anything_runs(
    entry: MethodSettings, message: str, tiles: Path, out: Path
) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        plan(Request((entry,), (tiles,), (0,), (0,)), out)


def test_an_absent_dataset_is_refused(tmp_path: Path, out: Path) -> None:
    with pytest.raises(InputError, match="no dataset at"):
        plan(grid(tmp_path / "nowhere", "mean-image"), out)


def test_the_default_seed_is_that_of_a_run() -> None:
    assert Request(()).seeds == (RunConfig.seed,)
