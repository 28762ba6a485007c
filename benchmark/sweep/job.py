"""A run of a sweep as a process of its own: how it is started, watched and stopped, and why it failed."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import yaml

import benchmark
from benchmark.config import RunConfig, to_plain
from benchmark.runs.lock import is_held
from benchmark.runs.record import RESULT_FILE, Status, read_status, write_status
from benchmark.sweep.plan import PlannedRun
from benchmark.sweep.share import WATCHES, WHOLE, Share
from cocoad.base.console import one_line
from cocoad.base.files import write_atomic

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
        return self.directory.parent / SWEEP_DIR / f"{self.directory.name}.{os.getpid()}.yaml"

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
    state: Literal["finished", "failed", "interrupted", "elsewhere"]
    seconds: float
    reason: str = ""


def job_of(run: PlannedRun, *, overwrite: bool, processes: int = 1) -> Job:
    """Return a planned run as a job."""
    return Job(run.config, run.directory, Path.cwd(), run.resume, overwrite, processes)


Heard = Callable[[Status], None]


def run_job(job: Job, heard: Heard = lambda status: None) -> JobResult:
    """Run a job to its end; ``heard`` is told of its ``status.json`` now and then."""
    return run_to_end(started(job, heard))


def run_to_end(running: Generator[None, None, JobResult]) -> JobResult:
    """Wait for a job that was started."""
    while True:
        try:
            next(running)
        except StopIteration as ended:
            result: JobResult = ended.value
            return result
        time.sleep(POLL_S)


def started(job: Job, heard: Heard, share: Share = WHOLE) -> Generator[None, None, JobResult]:
    """Start a job, its words going to its log; yield as long as it runs, and return what became of it.

    Whatever is thrown in (an interrupt, say) ends the process too, and leaves the run to be resumed. The process
    ends by itself when this one is gone, however that comes about.
    """
    directory = job.cwd / job.directory
    if is_held(directory):
        return JobResult(job.directory, "elsewhere", 0.0)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(job.cwd / job.config_file, yaml.safe_dump(to_plain(job.config), sort_keys=False).encode())
    began = time.monotonic()
    try:
        with (directory / LOG_FILE).open("ab") as log:
            log.write(f"$ {shlex.join(job.command())}\n".encode())
            log.flush()
            begin = log.tell()
            process = subprocess.Popen(
                job.command(),
                stdin=subprocess.PIPE,  # which closes when this process is gone
                stdout=log,
                stderr=log,
                cwd=job.cwd,
                env={**os.environ, **share.environment, "PYTHONFAULTHANDLER": "1", WATCHES: "1"},
                start_new_session=True,  # a terminal's Ctrl-C reaches the sweep alone, which passes it on
            )
            try:
                while (code := process.poll()) is None:
                    if status := read_status(directory):
                        heard(status)
                    yield
            except BaseException:
                _stop(process)
                raise
            finally:
                if process.stdin:
                    process.stdin.close()
    finally:
        (job.cwd / job.config_file).unlink(missing_ok=True)
    seconds = time.monotonic() - began
    if code == 0 and (directory / RESULT_FILE).is_file():
        return JobResult(job.directory, "finished", seconds)
    if is_held(directory):  # another process was quicker
        return JobResult(job.directory, "elsewhere", seconds)
    why = failure(code, directory / LOG_FILE, begin)
    _remember_failure(directory, code, why)
    return JobResult(job.directory, "failed", seconds, why)


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
