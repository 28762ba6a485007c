"""How objects show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from cocoad.base.console import one_line


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return an HTML table; a cell that is None is a dash, and a fraction has four digits."""
    lines = ["<table>"]
    if caption:
        lines.append(f'<caption style="text-align: left">{escape(one_line(caption))}</caption>')
    for tag, cells in (("th", headings), *(("td", row) for row in rows)):
        texts = (escape(one_line(_text(cell))) for cell in cells)
        lines.append("<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _text(cell: object) -> str:
    if cell is None or cell != cell:  # not a number
        return "–"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)
