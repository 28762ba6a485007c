"""A sweep's runs, one at a time on each share of the machine, each in a process of its own: none ends the others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.runs.record import Status
from benchmark.sweep.job import LOG_FILE, POLL_S, Heard, Job, JobResult, started
from benchmark.sweep.plan import PlannedRun
from benchmark.sweep.share import WHOLE, Share
from cocoad.base.console import next_line, stopped_like_interrupted
from cocoad.base.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Starter = Callable[[Job, Heard, Share], Generator[None, None, JobResult]]


def execute(
    jobs: Sequence[Job],
    say: Callable[[str], object],
    progress: Progress,
    shares: Sequence[Share] = (WHOLE,),
    starter: Starter = started,
) -> list[JobResult]:
    """Run the jobs in their order, as many at once as there are shares of the machine; return what became of them.

    A failure ends its own run alone; an interrupt ends those that run, and no other is started.
    """
    results: list[JobResult] = []
    waiting = list(enumerate(jobs, 1))
    free = list(shares)
    running: list[_Running] = []
    with stopped_like_interrupted():
        try:
            while waiting or running:
                while waiting and free:
                    number, job = waiting.pop(0)
                    share = free.pop(0)
                    label = f"[{number}/{len(jobs)}] {job.directory}"
                    where = f" on {share.name}" if share.name else ""
                    how = "going on" if job.resume else "starting"
                    say(f"{label}: {how}{where}, log in {job.directory / LOG_FILE}")
                    task = progress.add_task(job.directory.name, total=None)
                    steps = starter(job, partial(_show, progress, task), share)
                    running.append(_Running(job, label, share, task, steps, time.monotonic()))
                for one in list(running):
                    if (result := one.step()) is not None:
                        running.remove(one)
                        free.append(one.share)
                        _tell(one, result, say, progress, results)
                if running:
                    time.sleep(POLL_S)
        except KeyboardInterrupt:
            for one in running:
                _tell(one, one.interrupted(), say, progress, results)
    return results


@dataclass
class _Running:
    """A job on its way."""

    job: Job
    label: str
    share: Share
    task: TaskID
    steps: Generator[None, None, JobResult]
    began: float

    def step(self) -> JobResult | None:
        """Look how it is; return what became of it, once it has ended."""
        try:
            next(self.steps)
        except StopIteration as ended:
            result: JobResult = ended.value
            return result
        return None

    def interrupted(self) -> JobResult:
        """End it."""
        with contextlib.suppress(KeyboardInterrupt, StopIteration):
            self.steps.throw(KeyboardInterrupt)
        return JobResult(self.job.directory, "interrupted", time.monotonic() - self.began)


def _tell(
    one: _Running,
    result: JobResult,
    say: Callable[[str], object],
    progress: Progress,
    results: list[JobResult],
) -> None:
    progress.remove_task(one.task)
    results.append(result)
    more = f": {result.reason}" if result.reason else ""
    state = "running elsewhere, left alone" if result.state == "elsewhere" else result.state
    say(f"{one.label}: {state} after {duration(result.seconds)}{more}")


def _show(progress: Progress, task: TaskID, status: Status) -> None:
    progress.update(task, completed=status.epoch, total=status.epochs or None)


def summary(runs: Sequence[PlannedRun], outcomes: Sequence[JobResult], out: Path) -> list[str]:
    """Return what was done, what failed and why, and what to do next, a line each."""
    before = sum(run.state == "finished" for run in runs)
    running = [run for run in runs if run.state == "running"]
    by_state = {
        state: [outcome for outcome in outcomes if outcome.state == state]
        for state in ("finished", "failed", "interrupted", "elsewhere")
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
    for outcome in by_state["elsewhere"]:
        lines.append(f"running elsewhere, left alone: {outcome.directory}")
    lines += [f"running elsewhere, left alone: {run.directory} {run.detail}" for run in running]
    lines.append(next_line("bench", "leaderboard" if finished + before else "runs", out))
    return lines


def exit_code(outcomes: Sequence[JobResult]) -> int:
    """Return 0 when all is finished, or left to another process; 1 when some failed, 130 after an interrupt."""
    states = {outcome.state for outcome in outcomes}
    return EXIT_INTERRUPTED if "interrupted" in states else EXIT_FINDINGS if "failed" in states else EXIT_OK


def duration(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
