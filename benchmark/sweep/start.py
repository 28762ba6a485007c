"""From a plan to its runs: here, or as jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.sweep.cluster import Needs, local_runner
from benchmark.sweep.cluster import submit as queue
from benchmark.sweep.execute import execute, exit_code, job_of, run_job, summary
from benchmark.sweep.plan import PlannedRun
from cocoad.base.console import next_line, progress
from cocoad.base.errors import EXIT_OK


def start(
    runs: Sequence[PlannedRun],
    out: Path,
    *,
    overwrite: bool,
    submit: str | None,
    needs: Needs,
    say: Callable[[str], object],
) -> int:
    """Run, or queue, what of a plan is to be started; say how it goes; return the exit code."""
    processes = max(1, needs.gpus_per_run) if submit else 1
    jobs = [job_of(run, overwrite=overwrite, processes=processes) for run in runs if run.to_start]
    if submit == "slurm":
        for job, number in zip(jobs, queue(jobs, needs, out), strict=True):
            say(f"queued as {number}: {job.directory}")
        say(f"{next_line('bench', 'runs', out)}; once they are done, the same command says what failed")
        return EXIT_OK
    runner = local_runner(needs, out) if submit == "local" else run_job
    with progress() as bars:
        outcomes = execute(jobs, say, bars, runner)
    for line in summary(runs, outcomes, out):
        say(line)
    return exit_code(outcomes)
