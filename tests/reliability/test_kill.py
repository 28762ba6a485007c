"""Commands ended at random moments: what is on disk is absent, unfinished or whole, and the rerun is as undisturbed.

``KILLS`` says how many moments each command and signal gets, not counting those at which it had ended already; ``-s``
prints the counts. Commands are forks of a process that has loaded all they need (`served`), but for the sweep's runs
and torchrun's processes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.reliability.commands import CASES, WHOLE, given, leftovers, made
from tests.reliability.served import Server

KILLS = int(os.environ.get("KILLS", "2"))
QUICK = ("build", "export official", "export folder", "cache", "run in one pass", "report", "pack", "score")
MARK = "COCOAD_KILLED_BY_A_TEST"
LOADING_S = 0.3  # that Python takes to load a command, when Ctrl-C ends it in Python's own way
SLOW = (
    "sweep",
    "run in two processes",
)  # torch is loaded by several processes each time; torchrun ends with tracebacks
TRIES = 5  # for each kill
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def start(arguments: list[str], sources: Path, out: Path) -> subprocess.Popen[bytes]:
    program, *rest = given(arguments, sources, out)
    programs = Path(sys.executable).parent
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    own = {
        "COCOAD_CACHE": str(out / "cache"),
        "TMPDIR": str(out / "tmp"),
        MARK: str(out),
        "OMP_NUM_THREADS": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(programs / program), *rest]
    return subprocess.Popen(
        command, env=os.environ | own, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def serve(server: Server, arguments: list[str], sources: Path, out: Path) -> int:
    """Start a command in a fork; return its process. What it says goes to ``OUT/../said``."""
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    own = {"COCOAD_CACHE": str(out / "cache"), "TMPDIR": str(out / "tmp"), MARK: str(out)}
    return server.start(given(arguments, sources, out), place=out, said=out.with_name("said"), variables=own)


class Started:
    """A command that runs: as a process of its own, or as a fork of the server."""

    def __init__(self, server: Server, arguments: list[str], sources: Path, out: Path) -> None:
        self.server, self.said = server, out.with_name("said")
        alone = arguments[0] == "torchrun"
        self.process = start(arguments, sources, out) if alone else None
        self.number = self.process.pid if self.process else serve(server, arguments, sources, out)

    def ended(self) -> tuple[int, bytes]:
        """Return the exit code, when it ends, and all that it said."""
        if self.process:
            said, _ = self.process.communicate()
            return self.process.returncode, said
        return self.server.code(), self.said.read_bytes()


def finish(server: Server, arguments: list[str], sources: Path, out: Path) -> float:
    begun = time.monotonic()
    code, said = Started(server, arguments, sources, out).ended()
    assert code == 0, said.decode()
    return time.monotonic() - begun


def children(out: Path, number: int) -> list[int]:
    """Return the processes of the session ``number``, and those that have the environment of a command for ``out``."""
    found = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if (fields := _text(path).rpartition(")")[2].split())[3:4] == [str(number)] and fields[0] != "Z"
    ]
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={out}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def wait_for_children(out: Path, number: int) -> list[int]:
    deadline = time.monotonic() + 20
    while (left := children(out, number)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES] if WHOLE else QUICK)
def test_a_killed_command_leaves_nothing_half_made_and_its_rerun_is_as_undisturbed(
    name: str, sources: Path, sound_machine: Server, tmp_path: Path
) -> None:
    case, random, outcomes = CASES[name], Random(name), dict.fromkeys(("absent", "unfinished", "whole"), 0)
    server, first, begin = sound_machine, tmp_path / "out", tmp_path / "begin"
    for before in case.before:
        finish(server, before, sources, first)
    first.mkdir(exist_ok=True)
    shutil.copytree(first, begin)
    out = first
    taken = [finish(server, case.arguments, sources, out)]
    expected = made(out, case.same)
    assert not leftovers(out), leftovers(out)
    kills, tries = KILLS * len(SIGNALS) if name not in SLOW else max(1, KILLS // 4) * len(SIGNALS), 0
    while sum(outcomes.values()) < kills:
        tries += 1
        assert tries <= TRIES * kills, f"{name} ends before it can be killed"
        sent, seconds = SIGNALS[sum(outcomes.values()) % len(SIGNALS)], min(taken)
        shutil.rmtree(out)
        shutil.copytree(begin, out)
        begun = time.monotonic()
        running = Started(server, case.arguments, sources, out)
        loading = LOADING_S if running.process else 0.0
        time.sleep(loading + random.uniform(0, 1) * max(seconds - loading, 0.1))
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.number, sent)
        code, said = running.ended()
        if code == 0:
            taken.append(time.monotonic() - begun)
        where = f"{name}, {sent.name}"
        assert b"Traceback" not in said or sent == signal.SIGKILL or name in SLOW, said.decode()
        assert not (left := wait_for_children(out, running.number)), f"{where}: processes {left} stay"
        last = any(out.glob(case.last))
        assert code or not last or case.whole(out, sources), f"{where}: not whole"
        if code:
            begun_there = any(path.name != "tmp" for path in out.iterdir())
            outcomes["whole" if last else "unfinished" if begun_there else "absent"] += 1
        if code == 0 or not (case.refuses and last):  # else a person is told that it is there
            if code:
                finish(server, case.arguments, sources, out)
            assert made(out, case.same) == expected, where
            assert not leftovers(out), f"{where}: {leftovers(out)}"
    print(f"{name}: {kills} kills, {outcomes}; {tries - kills} came too late")
