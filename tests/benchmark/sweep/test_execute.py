"""Runs in processes of their own: here, a few lines of Python that end in every way a run can."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.config import RunConfig
from benchmark.runs.record import Status, read_status, write_status
from benchmark.sweep.execute import duration, execute, exit_code, summary
from benchmark.sweep.job import Job, JobResult, run_job
from benchmark.sweep.share import WHOLE, shares
from cocoad.base.console import progress
from cocoad.base.errors import InputError, ResourceError


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


SLEEPS = """
import os, time
from benchmark.sweep.share import take_share
take_share()
open("pid", "w").write(str(os.getpid()))
time.sleep(600)
"""
SWEEPS = """
import sys
from pathlib import Path
from benchmark.config import RunConfig
from benchmark.sweep import job
job.Job.command = lambda self: [sys.executable, "-c", sys.argv[1]]
job.run_job(job.Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), Path.cwd()))
"""


def test_a_run_ends_with_its_sweep_also_when_that_is_killed(tmp_path: Path) -> None:
    kill_and_wait_for_what_it_started([sys.executable, "-c", SWEEPS, SLEEPS], tmp_path)


LAUNCHES = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], env=os.environ | {"TORCHELASTIC_RUN_ID": "none"})
"""
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # as what waits in C++ is


def test_what_torchrun_started_ends_with_it_however_deaf(tmp_path: Path) -> None:
    kill_and_wait_for_what_it_started([sys.executable, "-c", LAUNCHES, f"{DEAF}\n{SLEEPS}"], tmp_path)


def kill_and_wait_for_what_it_started(command: list[str], place: Path) -> None:
    started, mark = subprocess.Popen(command, cwd=place), place / "pid"
    while not (mark.exists() and mark.read_text()):
        time.sleep(0.05)
    started.kill()
    started.wait()
    while is_alive(int(mark.read_text())):  # else the test's own limit ends it
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:1]
    except OSError:
        return False


MEETS = """
import pathlib, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
(folder / name).touch()
if name == "a":
    sys.exit("error: a is wrong")
while name == "b" and not (folder / "c").exists():
    time.sleep(0.05)
result = folder / "runs" / name / "result.json"
result.touch()
"""


def test_shares_run_at_once_and_a_failure_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(job: Job) -> list[str]:
        return [sys.executable, "-c", MEETS, str(tmp_path), job.directory.name]

    monkeypatch.setattr(Job, "command", command)
    config = RunConfig("mean-image", Path("tiles"))
    jobs = [Job(config, Path("runs") / name, tmp_path) for name in "abcd"]
    said: list[str] = []
    results = execute(jobs, said.append, progress(quiet=True), shares("0,1", "cpu"))
    assert {result.directory.name: result.state for result in results} == {
        "a": "failed", "b": "finished", "c": "finished", "d": "finished",
    }  # fmt: skip
    # b waits for c, which only another share can run
    assert exit_code(results) == 1
    assert "starting on cpu 0" in said[0]
    assert "starting on cpu 1" in said[1]


def test_each_share_has_its_cores_and_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3, 4})
    first, second = shares("0,1", "cpu")
    assert (first.environment["COCOAD_CORES"], second.environment["COCOAD_CORES"]) == ("0,1", "2,3")
    assert first.environment["OMP_NUM_THREADS"] == "2"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [share.environment["CUDA_VISIBLE_DEVICES"] for share in shares("all", None)] == ["5", "7"]
    assert [share.name for share in shares("1", "cuda")] == ["gpu 1"]
    assert shares(None, "cpu") == [WHOLE]


@pytest.mark.parametrize(
    ("devices", "device", "kind", "message"),
    [
        ("a", "cpu", InputError, "write all, or numbers"),
        ("0,0", "cpu", InputError, "each once"),
        ("0,", "cpu", InputError, "write all, or numbers"),
        ("all", "cpu", InputError, "how many runs at once"),
        ("all", None, ResourceError, "there is no GPU here"),
        ("0,3", "cuda", ResourceError, "no GPU 0 here: there are 0"),
    ],
)
def test_shares_that_there_are_not_are_refused(
    devices: str, device: str | None, kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(kind, match=message):
        shares(devices, device)


def test_a_run_that_another_process_has_is_left_alone_and_no_failure(
    job: Job, held_elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_as(monkeypatch, "raise SystemExit('must not be started')")
    with held_elsewhere(job.cwd / job.directory):
        results = execute([job], lambda line: None, progress(quiet=True))
    assert [result.state for result in results] == ["elsewhere"]
    assert exit_code(results) == 0
    assert any("running elsewhere, left alone: runs/a" in line for line in summary([], results, Path("runs")))


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
