"""Commands ended at random moments: what is on disk is absent, unfinished or whole, and the rerun is as undisturbed.

``KILLS`` says how many moments each command and signal gets; ``-s`` prints the counts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.reliability.commands import CASES, given, leftovers, made

KILLS = int(os.environ.get("KILLS", "2"))
MARK = "COCOAD_KILLED_BY_A_TEST"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
QUICK = ("build", "build with hashes", "export official", "export folder", "cache", "run in one pass")


def start(arguments: list[str], sources: Path, out: Path) -> subprocess.Popen[bytes]:
    program, *rest = given(arguments, sources, out)
    command = [str(Path(sys.executable).with_name(program)), *rest]
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
            if not any(out.glob(case.last)):
                outcomes["unfinished" if any(p.name != "tmp" for p in out.iterdir()) else "absent"] += 1
            else:
                assert process.returncode or case.whole(out, sources), f"{name}, {sent.name}: not whole"
                outcomes["whole"] += 1
            if process.returncode != 0:
                if not (case.refuses and any(out.glob(case.last))):
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
