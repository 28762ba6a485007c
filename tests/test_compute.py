"""Where runs are sent: the Dockerfile's steps work, and job files hold commands that there are."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from benchmark.cli import bench

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "docs" / "cluster"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", text)
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined.splitlines() if line.strip()]


def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("there is no hadolint here")
    subprocess.run(["hadolint", str(ROOT / "Dockerfile")], check=True)


def test_the_image_holds_data_in_a_volume_and_runs_as_an_ordinary_user() -> None:
    steps = instructions()
    assert ("VOLUME", "/data") in steps
    assert [value for name, value in steps if name == "USER"] == ["10001"]
    assert [value for name, value in steps if name == "WORKDIR"][-1] == "/data"


@pytest.mark.slow
def test_the_dockerfiles_steps_install_both_commands_from_what_its_context_holds(tmp_path: Path) -> None:
    """The steps are those of the file, at other paths; other packages are lent by this environment."""
    context, venv = tmp_path / "src", tmp_path / "opt"
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in tracked.splitlines():
        if any(fnmatch.fnmatch(name, f"{pattern}/*") or name == pattern for pattern in allowed):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, context / name, follow_symlinks=False)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "PIP_NO_DEPS": "1",
        "EXTRAS": "offline,report",
    }
    for name, step in instructions():
        if name == "RUN" and ("venv /opt" in step or "pip install" in step):
            line = step.replace("/opt/cocoad", str(venv))
            subprocess.run(
                ["bash", "-c", line], cwd=context, env=environment, check=True, capture_output=True
            )
            lent = next(venv.glob("lib/python3*/site-packages")) / "lent.pth"
            lent.write_text(sysconfig.get_path("purelib") + "\n")
    command = shlex.split(
        next(value for name, value in instructions() if name == "CMD").strip("[]").replace(",", "")
    )
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("Usage: bench")
    built = (
        "cocoad sample coco --train 24 --val 24 --size 64 && cocoad build --coco-root coco && cocoad verify"
    )
    subprocess.run(["bash", "-c", built], cwd=tmp_path, env=environment, check=True, capture_output=True)
    where = [str(venv / "bin" / "python"), "-c", "import cocoad; print(cocoad.__file__)"]
    place = subprocess.run(
        where, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert place.startswith(str(venv))


def parsed(line: str) -> dict[str, Any]:
    """Return the parameters of a `bench` command, as click understands them."""
    _, name, *arguments = shlex.split(line)
    command = bench.get_command(click.Context(bench), name)
    assert command is not None
    return command.make_context(name, arguments).params


def test_kubernetes_runs_a_split_in_each_pod_on_the_containers_volume() -> None:
    job = yaml.safe_load((CLUSTER / "kubernetes.yaml").read_text())
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"data": "/data", "shm": "/dev/shm"}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounted)
    for index in range(job["spec"]["completions"]):
        given = parsed(container["args"][0].replace("$JOB_COMPLETION_INDEX", str(index)))
        assert given["splits"] in (str(index), (index,))
        assert given["resume"]


def test_skypilot_resumes_all_splits_on_the_bucket_that_it_mounts() -> None:
    task = yaml.safe_load((CLUSTER / "skypilot.yaml").read_text())
    given = parsed(task["run"].replace("$METHOD", task["envs"]["METHOD"]))
    assert given["resume"]
    assert all(str(given[name]).startswith(next(iter(task["file_mounts"]))) for name in ("dataset", "out"))


def test_ray_starts_a_resuming_run_for_each_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text(  # what the script takes of ray: tasks that run at once
        "class Task:\n"
        "    def __init__(self, f): self.remote = f\n"
        "def remote(**needs): return Task\n"
        "def init(): pass\n"
        "def get(values): return values\n"
    )
    (tmp_path / "bench").write_text('#!/bin/sh\necho "bench $@" >> "$SAID"\n')
    (tmp_path / "bench").chmod(0o755)
    said = tmp_path / "said"
    monkeypatch.setenv("SAID", str(said))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    subprocess.run([sys.executable, str(CLUSTER / "ray_job.py"), "invad"], check=True)
    given = [parsed(line) for line in said.read_text().splitlines()]
    assert [one["splits"] for one in given] in (list("0123"), [(0,), (1,), (2,), (3,)])
    assert all(one["resume"] and one["method"] == "invad" for one in given)
