"""The light way: what needs no torch works without it, and what needs it says so in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"lightning-fabric", "safetensors", "timm", "torch", "torchvision"}


WORKING = """
cocoad sample coco --train 24 --val 24 --size 64
cocoad build --coco-root coco
cocoad verify
cocoad verify --deep
cocoad stats
cocoad show --split 0 --out sheet.png
cocoad export --help
bench dataset coco-ad
bench score --maps maps --split 0 --name one
bench score --maps maps --split 0 --name two
bench leaderboard runs --published
bench compare runs/one_coco-ad_split-0 runs/two_coco-ad_split-0 --samples 100
bench runs runs
bench show runs/one_coco-ad_split-0
bench report runs --out report
bench pack maps --split 0 --method one --about about.yaml --lossy --out packed/one
bench verify-submission packed/one --dataset coco-ad
bench truth --split 0 --out truth
bench run --help
bench methods
bench sweep --methods rd,padim --split 0 --dry-run
bench predict --help
"""
REFUSED = """
bench run --method padim
bench cache coco-ad
bench profile --method padim
bench predict runs/one_coco-ad_split-0 sheet.png --out predicted
bench export runs/one_coco-ad_split-0
"""

DRIVER = """
import contextlib, io, json, shlex, sys
import numpy as np

def run(line):
    name, *arguments = shlex.split(line)
    if name == "cocoad":
        from cocoad.cli import main
    else:
        from benchmark.cli import main
    sys.argv = [name, *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return [line, code, out.getvalue(), err.getvalue()]

def write_maps():
    from pathlib import Path
    noise = np.random.default_rng(0)
    for sample in json.loads(Path("coco-ad/split_0.json").read_bytes())["test"]:
        path = Path("maps", sample["image"]).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, noise.random((16, 16), np.float32))

open("about.yaml", "w").write("pretraining: none")
done = []
for line in json.load(sys.stdin):
    if "--maps" in line:
        write_maps()
    done.append(run(line))
print(json.dumps(done))
"""
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].replace("_", "-") in {HEAVY | {"lightning", "anomalib"}!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def outcomes(python: Path | str, place: Path, driver: str) -> list[tuple[str, int, str, str]]:
    """Run all commands in ``place`` and return each with its exit code, output and errors."""
    lines = [*WORKING.strip().splitlines(), *REFUSED.strip().splitlines()]
    environment = {name: value for name, value in os.environ.items() if name != "COCO_ROOT"}
    if python != sys.executable:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python, "-c", driver],
        cwd=place,
        input=json.dumps(lines),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(each) for each in json.loads(done.stdout.splitlines()[-1])]


def check(done: list[tuple[str, int, str, str]]) -> None:
    refused = REFUSED.strip().splitlines()
    for line, code, out, err in done:
        if line in refused:
            assert code == 2, (line, code, out, err)
            assert re.fullmatch(
                r"(starting .*\n)?error: bench \w+ needs (torch|safetensors), which a light installation leaves out: "
                r"pip install \. in a clone of the repository installs all of it\n",
                err,
            ), (line, err)
        else:
            assert code == 0, (line, code, out, err)


def test_commands_that_need_no_torch_run_where_it_cannot_be_imported_and_others_say_what_to_install(
    tmp_path: Path,
) -> None:
    check(outcomes(sys.executable, tmp_path, BLOCKER + DRIVER))


@pytest.mark.slow
def test_the_documented_light_way_installs_no_torch_and_runs_outside_the_checkout(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "elsewhere"
    place.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    documented = re.findall(
        r"^pip (install --no-deps .*?)\s*(?:#.*)?$", (ROOT / "docs/how-to/install.md").read_text(), re.M
    )
    assert len(documented) == 1
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "light"], check=True)
    python = tmp_path / "light" / "bin" / "python"
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [python, "-m", "pip", *documented[0].split(), "--quiet"], cwd=source, env=plain, check=True
    )
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], env=plain, check=True, capture_output=True
    )
    assert not {package["name"] for package in json.loads(listed.stdout)} & HEAVY
    check(outcomes(python, place, DRIVER))


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~ ;\[]", requirement)[0].lower()


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_light_group_is_the_dependencies_without_torch_and_its_friends_and_with_what_the_report_needs(
    project: dict[str, Any],
) -> None:
    whole = set(project["project"]["dependencies"])
    report = set(project["project"]["optional-dependencies"]["report"])
    light = set(project["dependency-groups"]["light"])
    assert {name_of(each) for each in whole - light} == HEAVY
    assert light - whole == report


def locked_in(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return {name_of(line) for line in lines if re.match(r"[a-z0-9]", line)}


def test_the_demo_s_lock_pins_all_that_the_demo_installs(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *extras["offline"], *extras["report"]]
    assert {name_of(each) for each in asked} <= locked_in("demo.lock")


def test_the_lock_pins_every_package_of_the_light_group(project: dict[str, Any]) -> None:
    locked = locked_in("light.lock")
    assert {name_of(each) for each in project["dependency-groups"]["light"]} <= locked
    assert not locked & HEAVY
