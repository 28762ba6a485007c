"""Print the table of `docs/reference/findings.md`: `python docs/scripts/findings.py`."""

from __future__ import annotations

from cocoad.verify.findings import CATALOGUE


def table() -> str:
    """Return every code with its severity, meaning and remedy, as Markdown."""
    rows = [f"| `{r.code}` | {r.severity} | {r.meaning} | {r.remedy} |" for r in CATALOGUE.values()]
    return "\n".join(["| code | severity | what is wrong | what to do |", "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table())
