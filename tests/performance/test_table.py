"""The table of `make performance` says plainly what holds, what is missed and what was not measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from measure import BEGIN, END, write
from table import Bench, Cost, Row, markdown


def test_a_missed_limit_stands_out_and_an_unmeasured_row_misses_none() -> None:
    missed = Row("build", "2 s", "4 s", 2.0, 10, at_least=True, note="busy")
    kept = Row("verify", "2 s", "4 s", 0.5, 2)
    unmeasured = Row("step", "", "literal", None, 3, at_least=True, note="`make performance`")
    assert [row.holds for row in (missed, kept, unmeasured)] == [False, True, True]
    lines = markdown([missed, kept, unmeasured]).splitlines()[2:]
    assert lines == [
        "| build | 2 s | 4 s | 2 × | ≥ 10 × | **MISSED** busy |",
        "| verify | 2 s | 4 s | 0.5 × | ≤ 2 × |  |",
        "| step |  | literal | unmeasured | ≥ 3 × | `make performance` |",
    ]


def test_ratios_are_of_the_seconds_that_count(tmp_path: Path) -> None:
    ours, theirs = Cost(clock=4.0, processor=1.0), Cost(clock=8.0, processor=10.0)
    assert Bench(tmp_path).faster("x", ours, theirs, 5, "y").ratio == 2
    assert Bench(tmp_path, by="processor").faster("x", ours, theirs, 5, "y").ratio == 10
    assert Bench(tmp_path, by="processor").dearer("x", ours, theirs, 5, "y").ratio == 0.1


def test_sides_take_turns_and_the_cheapest_turn_of_each_counts(tmp_path: Path) -> None:
    order: list[str] = []
    seconds = iter([3.0, 9.0, 1.0, 7.0])

    def side(name: str) -> Cost:
        order.append(name)
        return Cost(next(seconds), 0.0)

    ours, theirs = Bench(tmp_path, rounds=2).turns(lambda: side("ours"), lambda: side("theirs"))
    assert order == ["ours", "theirs"] * 2
    assert (ours.clock, theirs.clock) == (1.0, 7.0)


def test_a_page_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, "new \\1")
    assert page.read_text() == f"before\n{BEGIN}\nnew \\1\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="needs one"):
        write(page, "new")
