"""Runs as jobs: of a SLURM made of a script, as far as what it is asked, and of submitit's local executor."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark.cli.sweep import command
from benchmark.config import RunConfig
from benchmark.runs.record import read_record
from benchmark.sweep.cluster import ClusterRun, Needs, local_starter, sbatch_options, submit
from benchmark.sweep.job import Job, run_to_end
from benchmark.sweep.share import WHOLE
from cocoad.base.errors import InputError, ResourceError

SBATCH = '#!/bin/sh\ncat "$1" >> {log}\necho Submitted batch job $(grep -c ^#!/bin {log})\n'
TINY = ["--image-size", "64", "--weights", "random", "--device", "cpu", "--workers", "0", "--seeds", "0"]


def test_without_submitit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    job = Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), tmp_path)
    with pytest.raises(InputError, match=r"pip install '\.\[slurm\]'"):
        submit([job], Needs(), Path("runs"))


def test_slurm_is_asked_for_what_the_options_say(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    for name in ("sbatch", "srun"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(SBATCH.format(log=tmp_path / "asked"))
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    arguments = ["--methods", "mean-image,feature-distance", "--dataset", str(tiles), *TINY[:-4]]
    arguments += [
        "--device",
        "cuda",
        "--submit",
        "slurm",
        "--partition",
        "big",
        "--gpus-per-run",
        "2",
        "--hours",
        "30",
    ]
    arguments += ["--slurm", "account=lab", "--out", str(tmp_path / "runs")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "queued as 1: " in result.output
    assert "queued as 2: " in result.output
    asked = (tmp_path / "asked").read_text()
    for line in ("partition=big", "gpus-per-node=2", "cpus-per-task=8", "time=1800", "account=lab"):
        assert asked.count(f"#SBATCH --{line}\n") == 2
    assert asked.count("#SBATCH --dependency=singleton\n") == 2
    names = [line for line in asked.splitlines() if line.startswith("#SBATCH --job-name=")]
    assert len(set(names)) == 2  # else SLURM would have one wait for the other
    assert not (tmp_path / "runs" / "mean-image_tiles_seed-42").exists()


def test_without_slurm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    job = Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), tmp_path)
    with pytest.raises(ResourceError, match=r"runs/a could not be queued: .*srun"):
        submit([job], Needs(), Path("runs"))


def test_a_run_that_is_queued_again_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    job = Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), tmp_path, overwrite=True)
    again = pickle.loads(pickle.dumps(ClusterRun(job))).checkpoint().function
    assert (again.job.resume, again.job.overwrite) == (True, False)
    assert again.job.config == job.config


def test_of_a_job_that_broke_the_error_in_its_traceback_is_named(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    (tmp_path / "absent").write_text("a file, where a folder should be")
    job = Job(RunConfig("mean-image", Path("tiles")), Path("runs/a"), tmp_path / "absent")
    steps = local_starter(Needs(gpus_per_run=0), tmp_path / "jobs")(job, lambda status: None, WHOLE)
    outcome = run_to_end(steps)
    assert outcome.state == "failed"
    assert outcome.reason.startswith("NotADirectoryError: ")


@pytest.mark.parametrize("pair", ["account", "account=", "=lab", "a b=c", "account=x\n#SBATCH --mem=1"])
def test_what_is_no_option_of_sbatch_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="write NAME=VALUE"):
        sbatch_options([pair])


@pytest.mark.slow
def test_the_local_executor_really_makes_runs_and_goes_on_after_a_failure(
    tiles: Path, tmp_path: Path
) -> None:
    pytest.importorskip("submitit")
    out = tmp_path / "runs"
    plan = {"methods": [{"method": "feature-distance", "weights": "absent.pt"}, "mean-image"]}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan | {"defaults": {"weights": "random"}}))
    arguments = ["--plan", str(tmp_path / "plan.yaml"), "--dataset", str(tiles), "--out", str(out)]
    arguments += ["--submit", "local", "--gpus-per-run", "0", *TINY[:2], *TINY[4:]]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 1, result.output
    assert "1 finished, 1 failed" in result.output
    assert "absent.pt" in result.output.split("failed: ")[1]
    assert read_record(out / "mean-image_tiles_seed-0").method.name == "mean-image"
