"""Write the table of `docs/reference/methods.md`: `python docs/scripts/methods.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.methods.anomalib_adapter.known import PREFIX
from benchmark.methods.catalogue import MethodRow, catalogue

PAGE = "docs/reference/methods.md"
OWN = ("cocoad", "cocoad[anomalib]")


def table(rows: Iterable[MethodRow]) -> str:
    """Return this package's methods, and anomalib's models, as a Markdown table."""
    lines = ["| method | training | backbone | source | package | note |", "| --- " * 6 + "|"]
    for row in rows:
        package = "cocoad[anomalib]" if row.name.startswith(PREFIX) else row.package
        if package in OWN:  # not what happens to be installed here
            cells = (f"`{row.name}`", row.training, row.backbone or "–", row.source, package, row.note)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    path = Path(PAGE)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text[: text.index('| method |')]}{table(catalogue())}\n", encoding="utf-8")
