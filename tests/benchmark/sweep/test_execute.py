"""Runs in processes of their own: here, a few lines of Python that end in every way a run can."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmark.config import RunConfig
from benchmark.runs.record import Status, read_status, write_status
from benchmark.sweep.execute import Job, JobResult, duration, execute, exit_code, run_job, summary
from cocoad.base.console import progress


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), tmp_path)


def ends_as(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(Job, "command", lambda self: [sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; print('error: no space'); sys.exit(3)", "no space"),
        ("raise ValueError('first\\nsecond')", "ValueError: first"),
        ("import sys; print('odd'); sys.exit(1)", "odd"),
        ("import sys; sys.exit(7)", "ended with exit code 7 and no word"),
        ("pass", "ended with exit code 0 and no word"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL (out of memory?)"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    ],
)
def test_the_reason_of_a_failure_is_the_first_line_of_its_error(
    code: str, reason: str, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_as(monkeypatch, "import sys; print('error: an old one'); sys.exit(1)")
    run_job(job)
    ends_as(monkeypatch, code)
    outcome = run_job(job)
    assert (outcome.state, outcome.reason) == ("failed", reason)
    log = (job.cwd / job.directory / "log.txt").read_text()
    assert log.startswith("$ ")
    assert "an old one" in log


def test_a_failure_without_a_status_is_remembered_and_a_killed_run_stays_to_be_resumed(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = job.cwd / job.directory
    ends_as(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    write_status(directory, Status("running", 3, 9, pid=2**30))
    run_job(job)
    assert read_status(directory) == Status("running", 3, 9, pid=2**30)
    ends_as(monkeypatch, "import sys; print('error: no such weights'); sys.exit(2)")
    run_job(job)
    assert read_status(directory) == Status("failed", 3, 9, "no such weights")


def test_an_interrupt_stops_the_run_and_ends_the_sweep(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    ends_as(monkeypatch, code)
    mark = job.cwd / "pid"

    def interrupt() -> None:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)  # as good as Ctrl-C

    threading.Thread(target=interrupt).start()
    said: list[str] = []
    outcomes = execute([job, job], said.append, progress(quiet=True))
    assert [outcome.state for outcome in outcomes] == ["interrupted"]
    assert exit_code(outcomes) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert "the same command goes on with it" in "\n".join(summary([], outcomes, Path("runs")))


def test_a_sweep_has_the_exit_code_of_its_worst_run() -> None:
    done, failed = JobResult(Path("a"), "finished", 1), JobResult(Path("b"), "failed", 1)
    assert [exit_code([]), exit_code([done]), exit_code([failed, done])] == [0, 0, 1]


def test_several_processes_are_started_by_torchrun(job: Job) -> None:
    command = Job(job.config, job.directory, job.cwd, resume=True, processes=2).command()
    assert command[1:6] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert Path(command[6]).name == "__main__.py"
    assert command[-1] == "--resume"


@pytest.mark.parametrize(("seconds", "text"), [(12, "12 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_is_not_disturbed_by_somebodys_file_of_our_name(
    processes: int, tiles: Path, tmp_path: Path
) -> None:
    (tmp_path / "benchmark.py").write_text("raise SystemExit('somebody else is benchmarked here')")
    config = RunConfig("mean-image", tiles, split=None, image_size=64, device="cpu", workers=0)
    job = Job(config, Path("runs/mean-image_tiles_seed-42"), tmp_path, processes=processes)
    outcome = run_job(job)
    assert (outcome.state, outcome.reason) == ("finished", "")
