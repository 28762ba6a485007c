"""What is measured, how it is told, and how two sides are timed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED_S = 0.25  # between two looks at the memory of a process and its children, which take milliseconds
HEADINGS = ("what", "ours", "the alternative's", "ratio", "wanted", "")


@dataclass(frozen=True)
class Cost:
    """What something took: seconds on the clock and of processors, and the most MB that it had resident."""

    clock: float
    processor: float
    peak_mb: float | None = None


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what, ours, theirs: for a person.
        ratio: None: it was not measured.
        wanted: the limit; ``at_least``: the ratio must reach it, else it must not exceed it.
        note: what else there is to say; of a row that was not measured, the command that measures it.
        unit: of the ratio: times, or what an absolute limit is in.
    """

    what: str
    ours: str
    theirs: str
    ratio: float | None
    wanted: float | None
    at_least: bool = False
    note: str = ""
    unit: str = "×"

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; what has none, or was not measured, breaks none."""
        if self.ratio is None or self.wanted is None:
            return True
        return self.ratio >= self.wanted if self.at_least else self.ratio <= self.wanted

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells, in the order of the headings."""
        sign = "≥" if self.at_least else "≤"
        ratio = "unmeasured" if self.ratio is None else f"{self.ratio:.3g} {self.unit}"
        wanted = "–" if self.wanted is None else f"{sign} {self.wanted:g} {self.unit}"
        note = self.note if self.holds else f"**MISSED** {self.note}".rstrip()
        return self.what, self.ours, self.theirs, ratio, wanted, note


@dataclass
class Bench:
    """Where and how it is measured.

    Attributes:
        work: a folder for files.
        share: of COCO's number of images.
        rounds: how often both sides take turns; the cheapest turn of each counts.
        by: what ratios are of: ``clock``, or ``processor`` on a machine that does other things too.
        busy: beside busy processes.
    """

    work: Path
    share: float = 1.0
    rounds: int = 3
    by: str = "clock"
    busy: bool = False

    def seconds(self, cost: Cost) -> float:
        """Return what counts of a cost."""
        return float(getattr(cost, self.by))

    def turns(self, *sides: Callable[[], Cost]) -> list[Cost]:
        """Have the sides take turns; return the cheapest turn of each."""
        costs: list[list[Cost]] = [[] for _ in sides]
        for _ in range(self.rounds):
            for cost, side in zip(costs, sides, strict=True):
                cost.append(side())
        return [min(cost, key=self.seconds) for cost in costs]

    def faster(self, what: str, ours: Cost, theirs: Cost, wanted: float, beside: str, note: str = "") -> Row:
        """Return a row that says how many times as fast ours is."""
        ratio = self.seconds(theirs) / self.seconds(ours)
        return Row(what, self.told(ours), f"{self.told(theirs)} ({beside})", ratio, wanted, True, note)

    def dearer(self, what: str, ours: Cost, theirs: Cost, wanted: float, beside: str, note: str = "") -> Row:
        """Return a row that says how many times as long ours takes."""
        ratio = self.seconds(ours) / self.seconds(theirs)
        return Row(what, self.told(ours), f"{self.told(theirs)} ({beside})", ratio, wanted, False, note)

    def told(self, cost: Cost) -> str:
        """Say a cost."""
        peak = "" if cost.peak_mb is None else f", {cost.peak_mb:,.0f} MB"
        return f"{self.seconds(cost):.3g} s{peak}"


def here(work: Callable[[], object]) -> Cost:
    """Time a call in this process."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - clock, time.process_time() - processor)


def command(*words: object, codes: Sequence[int] = (0,)) -> Cost:
    """Run a command; its peak is of what it and its children had resident, pages that they share counted once."""
    started = looked = time.perf_counter()
    peak = 0
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, _memory(process.pid, "status", "VmHWM:"))
        if time.perf_counter() > looked + SHARED_S:
            looked = time.perf_counter()
            peak = max(peak, sum(_memory(each, "smaps_rollup", "Pss:") for each in _family(process.pid)))
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, words))}: exit code {process.returncode}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, peak / 1e6)


def tool(package: str, *words: object, codes: Sequence[int] = (0,)) -> Cost:
    """Run ``cocoad`` or ``bench`` (``package`` ``cocoad`` or ``benchmark``) in a process of its own."""
    return command(sys.executable, "-c", f"from {package}.cli import main; main()", *words, codes=codes)


def drawn(folder: Path, train: int, val: int, size: int) -> Path:
    """Draw a COCO of so many images of so many pixels, build COCO-AD of it, and return where that is."""
    root, data = folder / "coco", folder / "coco-ad"
    tool("cocoad", "sample", root, "--train", train, "--val", val, "--size", size)
    tool("cocoad", "build", "--coco-root", root, "--out", data)
    return data


def _family(process: int) -> list[int]:
    try:
        return [process, *map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]
    except OSError:  # it has just ended
        return []


def _memory(process: int, file: str, name: str) -> int:
    """Return the bytes that a file of ``/proc`` gives under a name."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def machine() -> str:
    """Name this machine: processor, cores, load."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        name = lines[0] if lines else name
    load = os.getloadavg()[0]
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {platform.system()}, load {load:.1f} at the start"


def markdown(rows: Iterable[Row]) -> str:
    """Return the table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
