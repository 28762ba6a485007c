"""Tables that fit a terminal: names neither shrink nor break; columns that do not fit are dropped, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

ENDLESS = 100_000  # a width that nothing reaches


def fitted(table: Table, console: Console) -> list[RenderableType]:
    """Return ``table`` without the columns, from the right, for which ``console`` is too narrow, and a line on them.

    A column with a ``min_width`` holds prose and may be folded to that. All others keep the width of their longest
    line; the first column always stays.
    """
    from rich.measure import Measurement
    from rich.text import Text

    options = console.options.update(max_width=ENDLESS)
    spare = []  # by column: what folding its prose saves
    for column in table.columns:
        longest = max(
            Measurement.get(console, options, cell).maximum
            for cell in (column.header, column.footer, *column.cells)
        )
        prose = column.min_width
        spare.append(max(0, longest - prose) if prose else 0)
        column.no_wrap, column.overflow = not prose, "fold"
        column.min_width = min(longest, prose) if prose else longest
    every = table.columns
    kept = len(every)
    while kept > 1 and Measurement.get(console, options, table).maximum - sum(spare[:kept]) > console.width:
        kept -= 1
        table.columns = every[:kept]
    if kept == len(every):
        return [table]
    names = ", ".join(str(column.header).replace("-\n", "-").replace("\n", " ") for column in every[kept:])
    return [table, Text(f"no room for {names}: widen the terminal, or send the output to a file\n", "dim")]
