"""Runs as one tidy table: a row per method, dataset, split, seed and protocol.

Its columns are declared in :mod:`benchmark.runs.columns`; ``docs/reference/leaderboard-columns.md`` lists them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.leaderboard.published import published_rows
from benchmark.runs.collect import Run
from benchmark.runs.columns import COSTS, METRICS, TIDY, at
from benchmark.runs.provenance import pretraining_of, trust
from cocoad.base.console import one_line
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VARIANT = (
    "source", "trust", "method", "method_version", "pipeline_version", "input_size", "tiles", "backbone",
    "pretraining", "weights", "preset", "epochs", "options", "recipe",
)  # fmt: skip
DATASET = ("dataset", "layout", "classes", "setting", "image_size")
COUNTS = tuple(name for name, column in TIDY.items() if column.kind == "integer")
NUMBERS = (*METRICS, *COSTS)
ENVIRONMENT = "environment"
LEADING = tuple(name for name in TIDY if name != f"{ENVIRONMENT}.*")
WHOLE = ("whole_classes", "whole_hash")  # of the dataset of which a run saw some classes; not in the CSV
LEVELS = 8  # of nested objects that become columns
OWN = "run"  # the source of one's own rows
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet run a cell


def tidy(runs: Sequence[Run], published: bool = False) -> pd.DataFrame:
    """Return the tidy table; text columns are strings (empty: none), numbers float64 (NaN: undefined, unknown)."""
    import pandas as pd

    rows = [row for run in runs for row in _rows_of(run)]
    table = pd.DataFrame(rows, columns=None if rows else pd.Index(LEADING))
    if published:
        table = pd.concat([table, published_rows()], ignore_index=True) if rows else published_rows()
    for column in (*LEADING, *WHOLE):
        if column not in table:
            table[column] = float("nan") if column in NUMBERS else ""
    text = [name for name in (*LEADING, *WHOLE) if name not in NUMBERS and name not in COUNTS]
    table[text] = table[text].fillna("").astype(str)
    table[list(COUNTS)] = table[list(COUNTS)].replace("", None).astype("Int64")
    table[list(NUMBERS)] = table[list(NUMBERS)].astype("float64")
    other = sorted(str(column) for column in table if column not in LEADING and column not in WHOLE)
    place = LEADING.index("finished_at")
    return table[[*LEADING[:place], *other, *LEADING[place:], *WHOLE]]


def _rows_of(run: Run) -> Iterator[dict[str, Any]]:
    record = run.record
    dataset = record.dataset
    made = {
        "source": OWN,
        "trust": trust(record),
        "pretraining": pretraining_of(record),
        "setting": "per-class" if dataset.per_class else "multi-class",
        "image_size": str(dataset.score_size or dataset.image_size),
        "tiles": "/".join(map(str, dataset.tiles or ())),
        "run": str(run.directory),
        "whole_classes": ";".join(dataset.of_classes),
        "whole_hash": dataset.of_hash,
    }
    common = {
        name: at(record, column.path) if column.kind != "text" else _plain(at(record, column.path))
        for name, column in TIDY.items()
        if column.path and name not in (*METRICS, "undefined", "setting", f"{ENVIRONMENT}.*")
    }
    for protocol, metrics in record.metrics.items():
        mine = {key: why for key, why in record.undefined.items() if key.startswith(f"{protocol}/")}
        yield {
            **common,
            **made,
            **_flat(ENVIRONMENT, record.environment),
            "protocol": protocol,
            **{name: metrics.get(name) for name in METRICS},
            "undefined": ";".join(f"{key.split('/', 1)[1]}: {why}" for key, why in mine.items()),
        }


def _plain(value: Any) -> Any:
    """Return a record's value as a cell: lists with ``;``, objects as JSON with sorted keys, others as they are."""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else ""
    if isinstance(value, list):
        return ";".join(map(str, value))
    return None if value is None else str(value)


def _flat(prefix: str, value: Any, levels: int = LEVELS) -> dict[str, Any]:
    """Return nested objects as columns ``prefix.key.key``; lists, and what lies deeper, as JSON."""
    if isinstance(value, dict) and levels:
        parts = [_flat(f"{prefix}.{key}", item, levels - 1) for key, item in value.items()]
        return {name: leaf for part in parts for name, leaf in part.items()}
    return {prefix: json.dumps(value) if isinstance(value, dict | list) else value}


def where(table: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Keep the rows that meet every ``column=value``; several values of one column mean any of them.

    Raises:
        InputError: a condition is not of that form or names no column.
    """
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise InputError(f"--where {condition!r}: write column=value, such as method=invad or split=0")
        if column not in table:
            known = ", ".join(str(name) for name in table.columns if name not in WHOLE)
            raise InputError(f"--where: no column {column!r}; there are {known}")
        wanted.setdefault(column, set()).add(value)
    for column, values in wanted.items():
        table = table[table[column].astype("str").isin(values)]
    return table


def csv_text(table: pd.DataFrame) -> str:
    """Return a tidy table as CSV, its texts on one line each and none of them a spreadsheet's formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [name for name in table.columns if name not in WHOLE]
    writer.writerow([defused(str(name)) for name in names])
    for row in table[names].astype("object").where(table[names].notna(), None).itertuples(index=False):
        writer.writerow(map(_cell, row))
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (
        defused(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    )


def defused(text: str) -> str:
    """Return a text for a CSV's cell: what a spreadsheet would run as a formula gets an apostrophe before it.

    >>> defused("=cmd|'/c calc'!A0"), defused("-3.5"), defused("rd")
    ("'=cmd|'/c calc'!A0", '-3.5', 'rd')
    """
    plain = one_line(text)
    if not plain.startswith(FORMULA):
        return plain
    try:
        float(plain)
    except ValueError:
        return f"'{plain}"
    return plain
