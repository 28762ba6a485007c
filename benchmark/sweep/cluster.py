"""A sweep's runs as jobs of SLURM, or of submitit's local executor, which rehearses that on one machine."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmark.runs.record import read_status
from benchmark.sweep.execute import Starter
from benchmark.sweep.job import SWEEP_DIR, Heard, Job, JobResult, error_line, run_job
from benchmark.sweep.share import Share
from cocoad.base.errors import InputError, ResourceError

Cluster = Literal["slurm", "local"]
MAX_TIMEOUTS = 20  # how often a run that reached its hours is queued again


@dataclass(frozen=True)
class Needs:
    """What a run asks of the cluster; ``extra`` are other options of sbatch, such as account or mem."""

    partition: str | None = None
    gpus_per_run: int = 1
    cpus_per_run: int = 8
    hours: float = 24.0
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterRun:
    """What a job calls. One that reached its hours or was pre-empted is queued again and goes on."""

    job: Job

    def __call__(self) -> JobResult:
        """Run, on the node."""
        return run_job(self.job)

    def checkpoint(self) -> Any:
        """Return what submitit shall queue in its place."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(ClusterRun(replace(self.job, resume=True, overwrite=False)))


def sbatch_options(pairs: Sequence[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` pairs as options of sbatch.

    Raises:
        InputError: one is no such pair.
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if not (equals and value and name.isidentifier()) or not (pair.isprintable()):
            raise InputError(f"--slurm {pair}: write NAME=VALUE, an option of sbatch, as account=lab")
        options[name] = value
    return options


def submit(jobs: Sequence[Job], needs: Needs, out: Path) -> list[str]:
    """Queue each job with SLURM and return their numbers.

    Jobs of the same run never run at once (``--dependency=singleton``): one queued twice finds its run finished.

    Raises:
        InputError: submitit is not installed.
        ResourceError: there is no SLURM here, or it refuses a job.
    """
    numbers = []
    for job in jobs:
        try:
            numbers.append(str(_executor("slurm", needs, out, job).submit(ClusterRun(job)).job_id))
        except (RuntimeError, OSError) as error:
            before = f" ({len(numbers)} were queued before: {', '.join(numbers)})" if numbers else ""
            raise ResourceError(
                f"{job.directory} could not be queued: {_first_line(error)}{before}"
            ) from None
    return numbers


def local_starter(needs: Needs, out: Path) -> Starter:
    """Return a function that starts a job by submitit's local executor and says how it goes.

    Raises:
        InputError: submitit is not installed.
    """
    import_submitit()

    def run(job: Job, heard: Heard, share: Share) -> Generator[None, None, JobResult]:
        started = time.monotonic()
        submitted = _executor("local", needs, out, job).submit(ClusterRun(job))
        try:
            while not submitted.done():
                if status := read_status(job.directory):
                    heard(status)
                yield
            found: JobResult = submitted.result()
        except KeyboardInterrupt:
            submitted.cancel()
            raise
        except Exception as error:  # of submitit: the job's process died, or its result is lost
            return JobResult(job.directory, "failed", time.monotonic() - started, _first_line(error))
        return found

    return run


def import_submitit() -> Any:
    """Return the package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise InputError(
            "--submit needs an extra: pip install '.[slurm]' in a clone of the repository"
        ) from None
    return submitit


def _executor(cluster: Cluster, needs: Needs, out: Path, job: Job) -> Any:
    folder = (job.cwd / out / SWEEP_DIR / "jobs").resolve()
    submitit = import_submitit()
    os.environ.setdefault(
        "PYTHONSAFEPATH", "1"
    )  # its module is started, which must not look in the folder first
    executor = submitit.AutoExecutor(folder, cluster, **{f"{cluster}_max_num_timeout": MAX_TIMEOUTS})
    place = hashlib.sha256(str((job.cwd / job.directory).resolve()).encode()).hexdigest()[:8]
    parameters: dict[str, Any] = {
        "name": f"{job.directory.name}-{place}",
        "timeout_min": max(1, round(needs.hours * 60)),
        "cpus_per_task": needs.cpus_per_run,
        "slurm_additional_parameters": {"dependency": "singleton", **needs.extra},
    }
    if needs.gpus_per_run:
        parameters["gpus_per_node"] = needs.gpus_per_run
    if needs.partition:
        parameters["slurm_partition"] = needs.partition
    executor.update_parameters(**parameters)
    return executor


def _first_line(error: BaseException) -> str:
    """Return the first line of an error, or of the error in a job whose traceback it quotes."""
    lines = str(error).splitlines() or [type(error).__name__]
    return error_line(lines if "Traceback (most recent call last):" in lines else lines[:1])
