"""The disk is full from the n-th write of a command on: it says so in one line, leaves nothing half-made, and its
rerun ends in the bytes of an undisturbed one.

``FULL`` is how many n are taken, evenly spaced; ``-s`` prints the counts.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability.commands import CASES, WHOLE, cleared, given, leftovers, made
from tests.reliability.served import Server

COMMANDS = ("build", "cache", "run in one pass", "run by gradient", "score", "report", "pack")
QUICK = ("build", "cache", "run in one pass", "score", "pack")
FULL = int(os.environ.get("FULL", "6"))


def chosen(total: int) -> list[int]:
    """Return at which write the disk becomes full."""
    most = min(FULL, total)
    return sorted({1 + round(part * (total - 1) / max(most - 1, 1)) for part in range(most)})


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS if WHOLE else QUICK)
def test_a_full_disk_is_one_line_and_the_rerun_is_as_undisturbed(
    name: str, sources: Path, bad_machine: Server, tmp_path: Path
) -> None:
    case, out, count, said = CASES[name], tmp_path / "out", tmp_path / "count", tmp_path / "said"

    def done(arguments: list[str], **variables: str) -> int:
        own = {"COCOAD_CACHE": str(out / "cache"), "TMPDIR": str(out / "tmp"), **variables}
        bad_machine.start(given(arguments, sources, out), place=out, said=said, variables=own)
        return bad_machine.code()

    cleared(out)
    for before in case.before:
        assert done(before) == 0, said.read_text()
    shutil.copytree(out, tmp_path / "begin")
    counted = {"SHIM_UNDER": str(out), "SHIM_COUNT": str(count)}
    assert done(case.arguments, **counted) == 0, said.read_text()
    total, expected, codes = count.stat().st_size, made(out, case.same), Counter[int]()
    assert expected
    for number in chosen(total):
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "begin", out)
        count.unlink()
        code, where = (
            done(case.arguments, **counted, SHIM_FULL=str(number)),
            f"{name}, write {number} of {total}",
        )
        told = said.read_text()
        codes[code] += 1
        assert "Traceback" not in told, f"{where}: {told}"
        assert code in (0, 3), f"{where}: exit code {code}: {told}"
        lines = told.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert errors == (lines[-1:] if code else []), f"{where}: {told}"
        assert not leftovers(out), f"{where}: {leftovers(out)}"
        whole = any(out.glob(case.last))
        if whole or code == 0:
            assert made(out, case.same) == expected, f"{where}: looks whole, and is not"
        if not (whole and case.refuses):
            assert done(case.arguments) == 0, f"{where}, rerun: {said.read_text()}"
        assert made(out, case.same) == expected, f"{where}: the rerun differs"
    print(f"{name}: full at {sum(codes.values())} of {total} writes, exit codes {dict(codes)}")
