"""Tables in narrow terminals."""

from __future__ import annotations

import pytest
from rich.console import Console

from cocoad.base.console import plain_table
from cocoad.base.tables import fitted

NAMES = ("anomalib:ReverseDistillation", "runs/invad-lite_coco-ad_split-0_seed-42")


def lines(width: int) -> list[str]:
    table = plain_table()
    for heading in ("Method", "Run", "mAD", "State"):
        table.add_column(heading, min_width=12 if heading == "State" else None)
    table.add_row(NAMES[0], NAMES[1], "50.0", "failed because of an error that takes many words to say")
    console = Console(width=width)
    with console.capture() as capture:
        console.print(*fitted(table, console), sep="\n")
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [20, 60, 80, 100, 120, 200])
def test_names_neither_shrink_nor_break_at_any_width(width: int) -> None:
    text = "\n".join(lines(max(width, 40)))
    assert NAMES[0] in text
    assert (NAMES[1] in text) == ("no room for Run" not in " ".join(text.split()))


def test_what_does_not_fit_is_dropped_from_the_right_and_named() -> None:
    assert "no room for Run, mAD, State: widen the terminal" in " ".join(" ".join(lines(50)).split())
    assert "no room for State" in " ".join(lines(85))
    assert not any("no room" in line for line in lines(120))


def test_prose_is_folded_before_it_is_dropped() -> None:
    shown = lines(100)
    assert max(map(len, shown)) <= 100
    assert any("failed" in line and NAMES[1] in line for line in shown)
    assert not any("to say" in line and NAMES[1] in line for line in shown)
