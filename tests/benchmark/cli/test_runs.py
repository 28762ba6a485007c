"""``bench runs``: every state there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmark.cli import bench
from benchmark.runs.collect import run_state
from benchmark.runs.record import CONFIG_FILE, Status, write_status


def test_a_finished_run_says_when(make_run: Any) -> None:
    state = run_state(make_run("a"))
    assert (state.state, state.detail) == ("finished", "2026-01-01 00:00")


def test_a_running_run_is_running_while_its_process_lives(tmp_path: Path, held_elsewhere: Any) -> None:
    with held_elsewhere(tmp_path) as process:
        write_status(tmp_path, Status("running", 3, 10, pid=process))
        state = run_state(tmp_path)
        assert (state.state, state.detail) == ("running", f"at epoch 3 of 10 (process {process})")
    state = run_state(tmp_path)
    assert (state.state, state.detail) == ("interrupted", "at epoch 3 of 10")


@pytest.mark.parametrize("process", [None, 0, -1, 1, 2**40])
def test_a_running_run_that_nobody_holds_was_interrupted_whatever_process_has_its_number(
    tmp_path: Path, process: int | None
) -> None:
    write_status(tmp_path, Status("running", 3, 10, pid=process))
    assert run_state(tmp_path).state == "interrupted"


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    write_status(tmp_path, Status("failed", 3, 10, message="loss is NaN at step 7"))
    assert run_state(tmp_path).detail == "because loss is NaN at step 7"


def test_an_edited_run_is_invalid(make_run: Any, edit_record: Any) -> None:
    run = make_run("a")
    edit_record(run, seed=7)
    assert run_state(run).state == "invalid"


def test_an_unreadable_status_beside_no_record_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert run_state(tmp_path).state == "invalid"


def test_the_list_names_method_dataset_split_and_seed_of_unfinished_runs_too(
    make_run: Any, tmp_path: Path
) -> None:
    make_run("a", "rd", 0.5, split=2)
    unfinished = tmp_path / "runs" / "b"
    unfinished.mkdir()
    write_status(unfinished, Status("failed", message="disk full"))
    (unfinished / CONFIG_FILE).write_text("method: uniad\ndataset: /data/mtd\nsplit: null\nseed: 5\n")
    result = CliRunner().invoke(bench, ["runs", str(tmp_path / "runs")])
    assert result.exit_code == 0, result.output
    finished, failed = result.stdout.rstrip().splitlines()[-2:]
    assert finished.split()[1:] == ["finished", "2026-01-01", "00:00", "50.0", "rd", "coco-ad", "2", "42"]
    assert failed.split()[1:] == ["failed", "because", "disk", "full", "–", "uniad", "mtd", "–", "5"]
