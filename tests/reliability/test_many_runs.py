"""Run after run, in one process and one process after the other: nothing that is held grows.

``RUNS`` says how many there are (`make reliability`: 500 in one process); a fifth of them in processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.commands import CASES, given, leftovers
from tests.reliability.served import Server

RUNS = int(os.environ.get("RUNS", "10"))
WARM = 5  # runs after which all that is loaded once is loaded
GROWN_MB = 8  # in all: what allocators keep, and nothing by run
IN_ONE_PROCESS = """
import json, os, sys, threading
from pathlib import Path
import benchmark

runs, warm, sources, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
where = dict(dataset=sources / "ad", coco_root=sources / "coco", split=0, device="cpu", workers=0, quiet=True)
gradient = dict(backbone="test_resnet", weights="random", image_size=64, batch_size=4, recipe={"epochs": 1})


def held():
    # Anonymous memory: what is mapped of files, libraries and results, is the system's.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = ("VmRSS", "RssFile", "RssShmem")
    resident, *of_files = (int(status[name].split()[0]) for name in names)
    return {
        "MB": (resident - sum(of_files)) / 1024,
        "handles": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "temporary files": len(os.listdir(os.environ["TMPDIR"])),
    }


for number in range(runs):
    name, place = f"run-{number}", dict(name=f"run-{number}", out=out, seed=number)
    if number % 2:
        benchmark.run("rd", **where, **gradient, **place)
    else:
        benchmark.run("mean-image", **where, image_size=32, batch_size=8, **place)
    if number == warm:
        first = held()
print(json.dumps([first, held()]))
"""


@pytest.mark.slow
def test_runs_in_one_process_hold_no_more_in_the_end_than_after_the_first(
    sources: Path, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    command = [
        sys.executable,
        "-c",
        IN_ONE_PROCESS,
        str(RUNS),
        str(WARM),
        str(sources),
        str(tmp_path / "runs"),
    ]
    own = {"TMPDIR": str(tmp_path / "tmp"), "COCOAD_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, last = json.loads(done.stdout.splitlines()[-1])
    print(f"{RUNS} runs in one process: {first} after {WARM + 1}, {last} in the end")
    assert last.pop("MB") < first.pop("MB") + GROWN_MB
    assert last == first
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == RUNS


@pytest.mark.slow
def test_commands_one_after_the_other_leave_nothing_but_their_runs(
    sources: Path, sound_machine: Server, tmp_path: Path
) -> None:
    arguments, before, out = CASES["run in one pass"].arguments, _shared_memory(), tmp_path / "out"
    (out / "tmp").mkdir(parents=True)
    own = {"COCOAD_CACHE": str(out / "cache"), "TMPDIR": str(out / "tmp")}
    for number in range(RUNS // 5):
        words = [str(number) if word == "one" else word for word in given(arguments, sources, out)]
        sound_machine.start(words, place=out, said=tmp_path / "said", variables=own)
        assert sound_machine.code() == 0, (tmp_path / "said").read_text()
    print(f"{RUNS // 5} runs in processes of their own: {leftovers(out)} left")
    assert not leftovers(out)
    assert _shared_memory() <= before
    assert len(list((out / "runs").glob("*/result.json"))) == RUNS // 5


def _shared_memory() -> set[str]:
    found = Path("/dev/shm").glob("*")
    return {path.name for path in found if any(mark in path.name for mark in ("torch", "pymp", "cocoad"))}
