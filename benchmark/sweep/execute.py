"""A sweep's runs one after the other, each in a process of its own, so that none can end the others."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import yaml

import benchmark
from benchmark.config import RunConfig, to_plain
from benchmark.runs.record import RESULT_FILE, Status, read_status, write_status
from benchmark.sweep.plan import PlannedRun
from cocoad.base.console import next_line, one_line, stopped_like_interrupted
from cocoad.base.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK
from cocoad.base.files import write_atomic

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PROGRAM = str(Path(benchmark.__file__).with_name("__main__.py"))
LOG_FILE = "log.txt"  # in the run directory: what the run said, of all attempts
SWEEP_DIR = ".sweep"  # beside the run directories: configurations and jobs on their way
POLL_S = 0.2
GRACE_S = 30.0  # for a run to stop by itself once it is asked to
TAIL_BYTES = 1 << 16  # of a log, in which an error is looked for


@dataclass(frozen=True)
class Job:
    """A run as a process: ``processes`` of them divide its batches; paths are relative to ``cwd``."""

    config: RunConfig
    directory: Path
    cwd: Path
    resume: bool = False
    overwrite: bool = False
    processes: int = 1

    @property
    def config_file(self) -> Path:
        """Where the configuration lies for the process to read."""
        return self.directory.parent / SWEEP_DIR / f"{self.directory.name}.yaml"

    def command(self) -> list[str]:
        """Return the command line: ``bench run``, under ``torchrun`` for several processes.

        It is started by the file of its program: a module would be looked for in the current folder first.
        """
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(self.processes)]
        flags = [
            flag for flag, given in (("--resume", self.resume), ("--overwrite", self.overwrite)) if given
        ]
        return [
            sys.executable, *(launcher if self.processes > 1 else []), PROGRAM, "run",
            "--config", str(self.config_file), "--out", str(self.directory.parent), *flags,
        ]  # fmt: skip


@dataclass(frozen=True)
class JobResult:
    """What became of a run: ``reason`` is the first line of its error."""

    directory: Path
    state: Literal["finished", "failed", "interrupted"]
    seconds: float
    reason: str = ""


def job_of(run: PlannedRun, *, overwrite: bool, processes: int = 1) -> Job:
    """Return a planned run as a job."""
    return Job(run.config, run.directory, Path.cwd(), run.resume, overwrite, processes)


def run_job(job: Job, heard: Callable[[Status], None] = lambda status: None) -> JobResult:
    """Run a job to its end, its words going to its log; ``heard`` is told of its ``status.json`` now and then.

    Whatever ends the wait (an interrupt, say) ends the process too, and leaves the run to be resumed.
    """
    directory = job.cwd / job.directory
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(job.cwd / job.config_file, yaml.safe_dump(to_plain(job.config), sort_keys=False).encode())
    started = time.monotonic()
    with (directory / LOG_FILE).open("ab") as log:
        log.write(f"$ {shlex.join(job.command())}\n".encode())
        log.flush()
        begin = log.tell()
        environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
        process = subprocess.Popen(
            job.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=job.cwd,
            env=environment,
            start_new_session=True,  # a terminal's Ctrl-C reaches the sweep alone, which passes it on
        )
        try:
            while (code := _waited(process)) is None:
                if status := read_status(directory):
                    heard(status)
        except BaseException:
            _stop(process)
            raise
    seconds = time.monotonic() - started
    if code == 0 and (directory / RESULT_FILE).is_file():
        (job.cwd / job.config_file).unlink(missing_ok=True)
        return JobResult(job.directory, "finished", seconds)
    why = failure(code, directory / LOG_FILE, begin)
    _remember_failure(directory, code, why)
    return JobResult(job.directory, "failed", seconds, why)


def _waited(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop; after a while, or a second interrupt, kill it and all that it started."""
    try:
        process.send_signal(signal.SIGINT)
        process.wait(GRACE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def failure(code: int, log: Path, begin: int) -> str:
    """Return in one line why a process ended with ``code``, from what it said in ``log`` after byte ``begin``."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    with log.open("rb") as stream:
        stream.seek(max(begin, log.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return error_line(lines) or f"ended with exit code {code} and no word"


def error_line(lines: Sequence[str]) -> str:
    """Return the first line of the error among what a process said: ours, else a traceback's, else its last word."""
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if not said:
        starts = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call")]
        after = lines[starts[-1] + 1 :] if starts else []
        said = [line for line in after if line[:1].strip()][:1] or [line for line in lines if line.strip()]
    return one_line(said[-1])[:500] if said else ""


def _remember_failure(directory: Path, code: int, why: str) -> None:
    """Have ``bench runs`` and the next sweep know why, where the run could not say so itself."""
    if code < 0 or (directory / RESULT_FILE).is_file():
        return  # killed: it may be resumed from where its status says; or the result of before still stands
    status = read_status(directory)
    if status is None or status.state != "failed":
        status = status or Status("failed")
        write_status(directory, msgspec.structs.replace(status, state="failed", message=why, pid=None))


Runner = Callable[[Job, Callable[[Status], None]], JobResult]


def execute(
    jobs: Sequence[Job], say: Callable[[str], object], progress: Progress, runner: Runner = run_job
) -> list[JobResult]:
    """Run the jobs in their order and return what became of them; an interrupt ends the list early."""
    outcomes: list[JobResult] = []
    with stopped_like_interrupted():
        for number, job in enumerate(jobs, 1):
            label = f"[{number}/{len(jobs)}] {job.directory}"
            say(f"{label}: {'going on' if job.resume else 'starting'}, log in {job.directory / LOG_FILE}")
            started = time.monotonic()
            task = progress.add_task(job.directory.name, total=None)
            try:
                outcome = runner(job, partial(_show, progress, task))
            except KeyboardInterrupt:
                outcome = JobResult(job.directory, "interrupted", time.monotonic() - started)
            progress.remove_task(task)
            outcomes.append(outcome)
            more = f": {outcome.reason}" if outcome.reason else ""
            say(f"{label}: {outcome.state} after {duration(outcome.seconds)}{more}")
            if outcome.state == "interrupted":
                break
    return outcomes


def _show(progress: Progress, task: TaskID, status: Status) -> None:
    progress.update(task, completed=status.epoch, total=status.epochs or None)


def summary(runs: Sequence[PlannedRun], outcomes: Sequence[JobResult], out: Path) -> list[str]:
    """Return what was done, what failed and why, and what to do next, a line each."""
    before = sum(run.state == "finished" for run in runs)
    running = [run for run in runs if run.state == "running"]
    by_state = {
        state: [outcome for outcome in outcomes if outcome.state == state]
        for state in ("finished", "failed", "interrupted")
    }
    finished = len(by_state["finished"])
    waiting = sum(run.to_start for run in runs) - len(outcomes)
    counts = [f"{finished} finished" + (f" and {before} before" if before else "")]
    counts += [f"{len(by_state[state])} {state}" for state in ("failed", "interrupted") if by_state[state]]
    counts += [f"{waiting} not started"] if waiting else []
    lines = [f"{', '.join(counts)}; {duration(sum(outcome.seconds for outcome in outcomes))}"]
    for outcome in by_state["failed"]:
        lines.append(f"failed: {outcome.directory}: {outcome.reason}; log: {outcome.directory / LOG_FILE}")
    for outcome in by_state["interrupted"]:
        lines.append(f"interrupted: {outcome.directory}: the same command goes on with it")
    lines += [f"running elsewhere, left alone: {run.directory} {run.detail}" for run in running]
    lines.append(next_line("bench", "leaderboard" if finished + before else "runs", out))
    return lines


def exit_code(outcomes: Sequence[JobResult]) -> int:
    """Return 0 when all that was started is finished, 1 when some failed, 130 after an interrupt."""
    states = {outcome.state for outcome in outcomes}
    return EXIT_INTERRUPTED if "interrupted" in states else EXIT_FINDINGS if "failed" in states else EXIT_OK


def duration(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
