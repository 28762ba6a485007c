"""From a plan to its runs: here, or as jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.sweep.cluster import Needs, local_starter
from benchmark.sweep.cluster import submit as queue
from benchmark.sweep.execute import execute, exit_code, summary
from benchmark.sweep.job import job_of, started
from benchmark.sweep.plan import PlannedRun
from benchmark.sweep.share import WHOLE, Share
from cocoad.base.console import next_line, progress
from cocoad.base.errors import EXIT_OK


def start(
    runs: Sequence[PlannedRun],
    out: Path,
    *,
    overwrite: bool,
    submit: str | None,
    needs: Needs,
    shares: Sequence[Share] = (WHOLE,),
    quiet: bool = False,
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
    starter = local_starter(needs, out) if submit == "local" else started
    with progress(quiet) as bars:
        outcomes = execute(jobs, say, bars, shares, starter)
    for line in summary(runs, outcomes, out):
        say(line)
    return exit_code(outcomes)
