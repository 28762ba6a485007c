"""Write `docs/reference/leaderboard-columns.md` from the declaration of columns.

`python docs/scripts/leaderboard_columns.py`
"""

from __future__ import annotations

from pathlib import Path

from benchmark.leaderboard.published import CAVEATS
from benchmark.runs.columns import TIDY, Column
from benchmark.runs.provenance import TRUST

PAGE = "docs/reference/leaderboard-columns.md"
HEAD = """# Columns of the leaderboard's CSV

`bench leaderboard RUNS --format csv`: one row per method, dataset, split, seed and protocol. Metrics are
**fractions** (tables show percent); an empty cell means unknown or undefined. UTF-8, comma-separated, `\\n`. A text
that a spreadsheet would run as a formula has an apostrophe before it. *Path* is where the value lies in
[`result.json`](run-record.md); *heading* is how tables name it.

This page is written by `python docs/scripts/leaderboard_columns.py` from `benchmark/runs/columns.py`.

"""


def page() -> str:
    """Return the page."""
    lines = ["| column | heading | unit | path | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [_line(column) for column in TIDY.values()]
    trust = [f"| `{level}` | {meaning} |" for level, meaning in TRUST.items()]
    caveats = [f"| `{key}` | {meaning} |" for key, meaning in CAVEATS.items()]
    return HEAD + "\n".join(
        [
            *lines,
            "\n## Trust\n\n| level | what it means |\n| --- | --- |",
            *trust,
            "\nA record's hash (`record_sha256`) finds accidents and naive edits. It is no signature: anybody can "
            "compute it anew.",
            "\n## Caveats\n\n| key | meaning |\n| --- | --- |",
            *caveats,
            "\nPer-split published rows of the ADer benchmark are the last evaluation (epoch 100) of its public logs. "
            "How to\nadd rows of another source: [publish a row](../how-to/publish.md).\n",
        ]
    )


def _line(column: Column) -> str:
    path = f"`{column.path}`" if column.path else "made by the table"
    return f"| `{column.name}` | {column.heading} | {column.unit} | {path} | {column.meaning} |"


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
