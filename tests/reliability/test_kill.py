"""Commands ended at random moments: what is on disk is absent, unfinished or whole, and the rerun is as undisturbed.

``KILLS`` says how many moments each command and signal gets; ``-s`` prints the counts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from cocoad.build.builder import build_dataset
from cocoad.sample import draw_sample
from cocoad.verify import verify

KILLS = int(os.environ.get("KILLS", "2"))
MARK = "COCOAD_KILLED_BY_A_TEST"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
Sound = Callable[[Path, Path], bool]  # of what is at the place, and the sources: is it whole?


def anything(out: Path, sources: Path) -> bool:
    return True


def sound(out: Path, sources: Path) -> bool:
    return verify(out / "made", coco_root=sources / "coco").errors == 0


@dataclass(frozen=True)
class Case:
    """A command: its arguments, ``OUT`` and ``SRC`` put in; which file appears last; and what it made."""

    arguments: list[str]
    last: str  # once it is there, the result is whole
    whole: Sound = anything
    same: tuple[str, ...] = ("*",)  # the files that an undisturbed command makes to the byte
    before: list[list[str]] = field(default_factory=list)  # commands whose results it needs


RUN = ["bench", "run", "--dataset", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--device", "cpu"]
RUN += ["--image-size", "32", "--workers", "0", "--batch-size", "8"]
RD = [
    "--method",
    "rd",
    "--backbone",
    "resnet18",
    "--weights",
    "random",
    "--epochs",
    "2",
    "--image-size",
    "64",
]
ONE_PASS = [*RUN, "--method", "mean-image", "--out", "OUT/runs"]
CASES = {
    "build": Case(["cocoad", "build", "--coco-root", "SRC/coco", "--out", "OUT/made"], "made", sound),
    "build with hashes": Case(
        ["cocoad", "build", "--coco-root", "SRC/coco", "--out", "OUT/made", "--hash-images"], "made", sound
    ),
    "export official": Case(
        ["cocoad", "export", "SRC/ad", "--layout", "official", "--out", "OUT/made"],
        "made/meta_20_3.json",
        sound,
    ),
    "export folder": Case(
        ["cocoad", "export", "SRC/ad", "--layout", "folder", "--coco-root", "SRC/coco", "--out", "OUT/made"],
        "made/split_3",
    ),
    "cache": Case(
        ["bench", "cache", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--image-size", "32"],
        "cache",
        same=("*.npy",),
    ),
    "run in one pass": Case(ONE_PASS, "runs/mean-image/result.json", same=("scores.csv", "curves.json")),
    "run by gradient": Case(
        [*RUN, *RD, "--out", "OUT/runs"], "runs/rd/result.json", same=("scores.csv", "curves.json")
    ),
    "sweep": Case(
        ["bench", "sweep", "--methods", "mean-image,random", *RUN[2:8], *RUN[8:12], "--out", "OUT/runs"],
        "runs/x",
        same=("scores.csv",),
    ),
    "report": Case(["bench", "report", "OUT/runs", "--out", "OUT/made"], "made", before=[ONE_PASS], same=()),
    "pack": Case(["bench", "pack", "OUT/runs", "--out", "OUT/made"], "made", before=[ONE_PASS], same=()),
}
QUICK = ("build", "build with hashes", "export official", "export folder", "cache", "run in one pass")


def start(arguments: list[str], sources: Path, out: Path) -> subprocess.Popen[bytes]:
    given = [a.replace("SRC", str(sources)).replace("OUT", str(out)) for a in arguments]
    command = [str(Path(sys.executable).with_name(given[0])), *given[1:]]
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    own = {
        "COCOAD_CACHE": str(out / "cache"),
        "TMPDIR": str(out / "tmp"),
        MARK: str(out),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        command, env=os.environ | own, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(arguments: list[str], sources: Path, out: Path) -> float:
    begun = time.monotonic()
    process = start(arguments, sources, out)
    said, _ = process.communicate()
    assert process.returncode == 0, said.decode()
    return time.monotonic() - begun


def children(out: Path) -> list[int]:
    """Return the processes that still have the environment of a command for ``out``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={out}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_for_children(out: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while (left := children(out)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def made(out: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    names = {path for pattern in patterns for path in out.rglob(pattern) if path.is_file()}
    hints = {"coco-root.txt"}
    return {str(path.relative_to(out)): path.read_bytes() for path in names if path.name not in hints}


def leftovers(out: Path) -> list[str]:
    """Return what no finished command leaves: temporary files and folders, locks of outputs."""
    hidden = [
        p
        for p in out.rglob(".*")
        if any(w in p.name for w in ("partial", "building", "replaced", "unfin", ".tmp"))
    ]
    temporary = [
        p for p in (out / "tmp").iterdir() if not p.name.startswith("torchinductor_")
    ]  # torch's own cache
    return sorted(str(path.relative_to(out)) for path in [*hidden, *temporary])


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sources")
    draw_sample(place / "coco", train=24, val=24, size=48)
    build_dataset(place / "coco", place / "ad")
    return place


def ends_well_after_kills(name: str, sources: Path, place: Path, kills: int) -> None:
    case, random, outcomes = CASES[name], Random(name), dict.fromkeys(("absent", "unfinished", "whole"), 0)
    first = place / "undisturbed"
    for before in case.before:
        finish(before, sources, first)
    seconds = finish(case.arguments, sources, first)
    expected = made(first, case.same)
    assert not leftovers(first), leftovers(first)
    number = 0
    for sent in SIGNALS:
        for _ in range(kills):
            number += 1
            out = place / str(number)
            for before in case.before:
                finish(before, sources, out)
            process = start(case.arguments, sources, out)
            time.sleep(random.uniform(0.1, 1) * seconds)
            process.send_signal(sent)
            said, _ = process.communicate()
            assert b"Traceback" not in said or sent == signal.SIGKILL, said.decode()
            assert not (left := wait_for_children(out)), f"{name}, {sent.name}: processes {left} stay"
            if not (out / case.last).exists():
                outcomes["unfinished" if any(p.name != "tmp" for p in out.iterdir()) else "absent"] += 1
            else:
                assert process.returncode or case.whole(out, sources), f"{name}, {sent.name}: not whole"
                outcomes["whole"] += 1
            if process.returncode != 0:
                if case.arguments[:2] == ["cocoad", "build"] and (out / case.last).exists():
                    shutil.rmtree(out / case.last)  # whole, and refused without --overwrite
                elif name.startswith("export") and (out / case.last).exists():
                    continue
                finish(case.arguments, sources, out)
            assert made(out, case.same) == expected, f"{name}, {sent.name}"
            assert not leftovers(out), f"{name}, {sent.name}: {leftovers(out)}"
    print(f"{name}: {number} kills, {outcomes}")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_killed_command_leaves_nothing_half_made_and_its_rerun_is_as_undisturbed(
    name: str, sources: Path, tmp_path: Path
) -> None:
    ends_well_after_kills(name, sources, tmp_path, KILLS)
