"""The template repository of a leaderboard, end to end: real runs, pull requests, one of them dishonest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from benchmark.cli import bench
from benchmark.submissions.format import TAKEN_MB
from cocoad.cli import cocoad

TEMPLATE = Path(__file__).parents[1] / "docs" / "leaderboard-template"
METHODS = {"mean-image": (), "feature-distance": ("--weights", "random"), "padim": ("--weights", "random")}
CHECK = ("./check.sh", "main")

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def done(group: object, *words: str | Path) -> str:
    result = CliRunner().invoke(group, list(map(str, words)))  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Submissions of three real runs on split 0 of a drawn COCO-AD, and its ground truth."""
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    done(cocoad, "sample", "coco", "--train", "16", "--val", "60", "--size", "96")
    done(cocoad, "build", "--coco-root", "coco", "--out", "coco-ad", "--split", "0")
    for method, words in METHODS.items():
        fixed = (
            "--dataset",
            "coco-ad",
            "--split",
            "0",
            "--image-size",
            "64",
            "--save-maps",
            "--workers",
            "0",
        )
        done(bench, "run", "--method", method, *fixed, "--no-cache", *words)
        (run,) = Path("runs").glob(f"{method}_*")
        said = done(bench, "pack", run, "--dataset", "coco-ad", "--out", f"packed/{method}", "--size", "64")
        assert "points from the full maps" in said
    done(bench, "truth", "--dataset", "coco-ad", "--split", "0", "--image-size", "64", "--out", "truth")
    return tmp_path


@pytest.fixture
def repository(packed: Path) -> Run:
    """The template with ground truth, committed on main; runs a command in it."""
    folder = packed / "leaderboard"
    shutil.copytree(TEMPLATE, folder)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **{
            f"GIT_{who}_{what}": "a@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
        "GIT_CONFIG_GLOBAL": os.devnull,
    }

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        found = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == code, found.stdout + found.stderr
        return found

    for file in (packed / "truth").iterdir():
        shutil.copy(file, folder / "truth")
    run("sh", "-c", "cd truth && sha256sum *.truth.npz > SHA256SUMS")
    run("git", "init", "-q", "-b", "main")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "Start")
    return run


def propose(run: Run, packed: Path, method: str) -> Path:
    """Add a submission on a branch of its own, not yet committed."""
    run("git", "switch", "-qc", method)
    folder = packed / "leaderboard" / "results" / method
    shutil.copytree(packed / "packed" / method, folder)
    return folder


def commit(run: Run) -> None:
    run("git", "add", "-A")
    run("git", "commit", "-qm", "Change")


def merge(run: Run, method: str) -> None:
    run("git", "switch", "-q", "main")
    run("git", "merge", "-q", method)


@pytest.mark.slow
def test_honest_submissions_are_taken_and_dishonest_ones_refused(repository: Run, packed: Path) -> None:
    for method in ("mean-image", "feature-distance"):
        propose(repository, packed, method)
        commit(repository)
        said = repository(*CHECK).stdout
        assert f"{method}: verified, native" in said
        merge(repository, method)

    folder = propose(repository, packed, "padim")
    path = folder / "submission.json"
    honest = path.read_bytes()
    content = json.loads(honest)
    content["splits"][0]["metrics"]["ader"]["mad"] += 0.01
    path.write_text(json.dumps(content))
    commit(repository)
    refused = repository(*CHECK, code=1)
    assert "padim: refused: " in refused.stdout
    assert "error [claims] coco-ad, split 0: ader/mad is claimed to be" in refused.stdout

    content = json.loads(honest)
    content["about"]["reproduced"] = {"by": "ourselves", "where": "https://example.org"}
    path.write_text(json.dumps(content))
    commit(repository)
    assert "error [keeper] submission.json" in repository(*CHECK, code=1).stdout

    path.write_bytes(honest)
    commit(repository)
    repository(*CHECK)
    merge(repository, "padim")
    page = (packed / "leaderboard" / "site" / "index.html").read_text()
    assert all(f'<th scope="row">{method}' in page for method in METHODS)

    path.write_text(json.dumps(content))  # what the keeper says, on main
    commit(repository)
    repository("./check.sh", "--site")
    assert "by ourselves</a>" in (packed / "leaderboard" / "site" / "index.html").read_text()

    repository("git", "switch", "-qc", "revision")
    shutil.copy(folder / "split_0.maps.png", folder.parent / "mean-image" / "split_0.maps.png")
    commit(repository)
    said = repository(*CHECK, code=1).stderr
    assert "refused: results/mean-image/split_0.maps.png is of an earlier submission" in said

    repository("git", "switch", "-q", "main")
    repository("git", "switch", "-qc", "copy")
    shutil.copytree(folder, folder.with_name("copy"))
    (folder.with_name("copy") / "extra.bin").write_bytes(bytes(12_000_001))
    commit(repository)
    refused = repository(*CHECK, code=1)
    assert "refused: results/copy/extra.bin is larger than 12 MB" in refused.stderr
    assert "error [folder] extra.bin" in refused.stdout
    assert "maps are those of padim" in refused.stdout

    repository("git", "switch", "-q", "main")
    repository("git", "switch", "-qc", "loose")
    (folder.parent / "notes.txt").write_text("not a submission")
    commit(repository)
    assert "refused: results/notes.txt lies in no folder" in repository(*CHECK, code=1).stderr

    repository("git", "switch", "-q", "main")
    repository("git", "switch", "-qc", "other-masks")
    (packed / "leaderboard" / "truth" / "split_0.truth.npz").write_bytes(b"easier")
    commit(repository)
    repository(*CHECK, code=2)
    repository("sh", "-c", "cd truth && sha256sum *.truth.npz > SHA256SUMS")
    shutil.copytree(folder, folder.with_name("copy"))
    commit(repository)
    refused = repository(*CHECK, code=2)
    assert "adds a submission and changes something outside results/" in refused.stderr


def test_the_workflow_runs_the_script_that_people_run() -> None:
    workflow = yaml.safe_load((TEMPLATE / ".github" / "workflows" / "submissions.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert commands[-1].startswith("./check.sh ")
    assert commands[-2].endswith(" -- check.sh truth")
    assert os.access(TEMPLATE / "check.sh", os.X_OK)
    assert f"most_mb={TAKEN_MB}\n" in (TEMPLATE / "check.sh").read_text()  # of which `bench pack` warns
    assert workflow["permissions"] == {"contents": "read"}
