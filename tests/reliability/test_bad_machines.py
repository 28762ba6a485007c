"""What a person sees on a machine that lacks something: the table of docs/reliability.md, each cell by a test."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.commands import CASES, WHOLE, Case, cleared, given, leftovers, made
from tests.reliability.served import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
COMMANDS = (
    "build",
    "export folder",
    "cache",
    "run in one pass",
    "run by gradient",
    "score",
    "report",
    "pack",
)
WITH_WORKERS = ("cache", "run in one pass", "run by gradient")
DONE = "as ever"


@dataclass(frozen=True)
class Situation:
    """What is wrong with a machine."""

    variables: dict[str, str | None] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    out: str = "out"  # where all is written
    workers: bool = False  # loader processes are asked for
    commands: tuple[str, ...] = COMMANDS
    started: dict[str, str] = field(default_factory=dict)  # variables that matter when Python starts


QUICK = ("8 MB of memory beyond the libraries'", "a file system without locks", "a clock that goes backwards")
READ_ONLY, DENIED, NO_LOCKS, NO_LINKS = "30", "13", "37", "1"  # Linux's numbers
SITUATIONS = {
    "a file system that is read-only": Situation({"SHIM_FULL": "1", "SHIM_ERRNO": READ_ONLY}),
    "a place of somebody else's": Situation({"SHIM_FULL": "1", "SHIM_ERRNO": DENIED}),
    "no shared memory, loaders asked for": Situation({"SHIM_SHM": "1"}, workers=True),
    "32 file handles, loaders asked for": Situation(limits={"RLIMIT_NOFILE": 32}, workers=True),
    "8 MB of memory beyond the libraries'": Situation(
        limits={"RLIMIT_AS": 8 << 20},
        commands=(
            "build",
            "export folder",
            "cache",
            "report",
        ),  # torch ends without a traceback only with more
    ),
    "no `HOME`, `COCOAD_CACHE` set": Situation({"HOME": None}),
    "a `TMPDIR` that does not exist": Situation({"TMPDIR": "/nowhere"}),
    "`LC_ALL=C`, a path beyond ASCII": Situation(out="é 漢", started={"LC_ALL": "C", "LANG": "C"}),
    "a path with spaces, letters beyond ASCII, a line break": Situation(out="o ut é 漢\nx"),
    "a clock that goes backwards": Situation({"SHIM_BACK": "1"}),
    "a file system without locks": Situation({"SHIM_FLOCK": NO_LOCKS}),
    "a file system without symbolic links": Situation({"SHIM_SYMLINK": NO_LINKS}),
}


class Machine:
    """Commands at a place ``out``, one after another."""

    def __init__(self, server: Server, sources: Path, place: Path, out: str) -> None:
        self.server, self.sources, self.out, self.said = server, sources, place / out, place / "said"
        self.count = place / "count"

    def code(self, arguments: list[str], situation: Situation) -> int:
        own: dict[str, Any] = {
            "COCOAD_CACHE": str(self.out / "cache"),
            "TMPDIR": str(self.out / "tmp"),
            "SHIM_UNDER": str(self.out),
            "SHIM_COUNT": str(self.count),
        }
        self.server.start(
            given(arguments, self.sources, self.out),
            place=self.out,
            said=self.said,
            variables=own | situation.variables,
            limits=situation.limits,
        )
        return self.server.code()

    def told(self) -> list[str]:
        """Return what the command said, with the names of places in place of theirs."""
        text = self.said.read_text(errors="replace")
        for path, name in ((self.out, "OUT"), (self.sources, "SRC")):
            for spelling in (str(path), str(path).replace("\n", " ")):
                text = text.replace(spelling, name)
        return text.splitlines()


def seen(name: str, situation: Situation, machine: Machine) -> str:
    """Return what a person sees of a command: ``as ever``, or what it says, with its exit code."""
    case: Case = CASES[name]
    arguments = list(case.arguments)
    if situation.workers and name in WITH_WORKERS:
        arguments += ["--workers", "2"]
    cleared(machine.out)
    for before in case.before:
        assert machine.code(before, Situation()) == 0, machine.told()
    begin = machine.out.with_name("begin")
    shutil.rmtree(begin, ignore_errors=True)
    shutil.copytree(machine.out, begin, symlinks=True)
    assert machine.code(arguments, Situation()) == 0, machine.told()
    usual, expected = machine.told(), made(machine.out, case.same)
    shutil.rmtree(machine.out)
    shutil.copytree(begin, machine.out, symlinks=True)
    code, told = machine.code(arguments, situation), machine.told()
    where = f"{name}: {told}"
    assert not any("Traceback" in line for line in told), where
    assert not leftovers(machine.out), f"{where} {leftovers(machine.out)}"
    errors = [line for line in told if line.startswith("error: ")]
    if code:
        assert code in (2, 3), where
        assert errors == told[-1:], where
        assert not any(machine.out.glob(case.last)), f"{where}: there is a result"
        assert machine.code(arguments, Situation()) == 0, f"{where}, then {machine.told()}"
        assert made(machine.out, case.same) == expected, f"{where}: the next one differs"
        return f"exit code {code}: {plain(errors[0])}"
    assert made(machine.out, case.same) == expected, f"{where}: another result"
    more = [line for line in told if line.startswith(("note: ", "warning: ")) and line not in usual]
    return DONE + "".join(f", and `{plain(line)}`" for line in dict.fromkeys(more))


def plain(line: str) -> str:
    """Return a line without what differs each time: temporary names and amounts."""
    line = re.sub(r"\.[\w-]+\.[0-9a-f]{16}\.partial", ".….partial", line.removeprefix("error: "))
    return re.sub(r"OUT[^\s:]*", "PLACE", line)


def rows(situation: str, found: dict[str, str]) -> list[str]:
    """Return the page's rows of a situation, one for each thing that is seen."""
    outcomes = dict.fromkeys(found.values())
    lines = []
    for outcome in outcomes:
        names = [name for name in found if found[name] == outcome]
        who = "all" if len(outcomes) == 1 else ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {situation} | {who} | {outcome} |")
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("situation", SITUATIONS if WHOLE else QUICK)
def test_a_bad_machine_is_told_in_one_line_or_makes_no_difference(
    situation: str, sources: Path, bad_machine: Server, tmp_path: Path
) -> None:
    what = SITUATIONS[situation]
    server = Server(bad_machine.shim, what.started) if what.started else bad_machine
    machine = Machine(server, sources, tmp_path, what.out)
    expected = rows(situation, {name: seen(name, what, machine) for name in what.commands})
    if what.started:
        server.close()
    page = PAGE.read_text(encoding="utf-8").splitlines()
    missing = [row for row in expected if row not in page]
    assert not missing, "not on the page:\n" + "\n".join(missing)
