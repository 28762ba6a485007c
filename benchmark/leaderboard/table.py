"""Runs as one tidy table: a row per method, dataset, split, seed and protocol.

Every column is described in ``docs/reference/leaderboard-columns.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from benchmark.leaderboard.published import published_rows
from benchmark.runs.collect import Run
from benchmark.runs.names import METRICS
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VARIANT = ("source", "method", "backbone", "weights", "preset", "epochs", "options", "recipe")
DATASET = ("dataset", "layout", "classes", "image_size")
COUNTS = ("train_normal", "test_normal", "test_anomalous")
AFTER = ("flags", "caveats", "undefined")
LEADING = (
    *VARIANT,
    *DATASET,
    "split",
    "dataset_hash",
    *COUNTS,
    "unofficial",
    "seed",
    "protocol",
    *METRICS,
    *AFTER,
)
LEVELS = 8  # of nested objects that become columns
OWN = "run"  # the source of one's own rows


def tidy(runs: Sequence[Run], published: bool = False) -> pd.DataFrame:
    """Return the tidy table; text columns are strings (empty: none), metrics fractions (NaN: undefined)."""
    import pandas as pd

    rows = [row for run in runs for row in _rows_of(run)]
    table = pd.DataFrame(rows, columns=None if rows else pd.Index(LEADING))
    if published:
        table = pd.concat([table, published_rows()], ignore_index=True) if rows else published_rows()
    for column in LEADING:
        if column not in table:
            table[column] = float("nan") if column in METRICS else ""
    text = [name for name in LEADING if name not in METRICS and name not in COUNTS]
    table[text] = table[text].fillna("").astype(str)
    table[list(COUNTS)] = table[list(COUNTS)].replace("", None).astype("Int64")
    table[list(METRICS)] = table[list(METRICS)].astype("float64")
    return table[[*LEADING, *(column for column in table if column not in LEADING)]]


def _rows_of(run: Run) -> Iterator[dict[str, Any]]:
    record = run.record
    method, dataset = record.method, record.dataset
    recipe = record.config.get("recipe")
    common = {
        "source": OWN,
        "method": method.name,
        "backbone": method.backbone or "",
        "weights": method.weights,
        "preset": record.preset or "",
        "epochs": "" if record.epochs is None else str(record.epochs),
        "options": json.dumps(method.options, sort_keys=True) if method.options else "",
        "recipe": json.dumps(recipe, sort_keys=True) if recipe else "",
        "dataset": dataset.name,
        "layout": dataset.layout,
        "classes": ";".join(dataset.classes),
        "image_size": str(dataset.image_size),
        "split": "" if dataset.split is None else str(dataset.split),
        "dataset_hash": dataset.hash,
        "train_normal": dataset.train_normal,
        "test_normal": dataset.test_normal,
        "test_anomalous": dataset.test_anomalous,
        "unofficial": ";".join(dataset.unofficial),
        "seed": "" if record.seed is None else str(record.seed),
    }
    after = {
        "flags": ";".join(record.flags),
        **msgspec.structs.asdict(record.cost),
        "parameters": method.parameters,
        "trainable_parameters": method.trainable_parameters,
        "gmacs": method.gmacs,
        **_flat("environment", record.environment),
        "finished_at": record.finished_at,
        "record_sha256": record.sha256,
        "run": str(run.directory),
    }
    for protocol, metrics in record.metrics.items():
        mine = {key: why for key, why in record.undefined.items() if key.startswith(f"{protocol}/")}
        undefined = ";".join(f"{key.split('/', 1)[1]}: {why}" for key, why in mine.items())
        yield {**common, "protocol": protocol, **{name: metrics.get(name) for name in METRICS},
               "undefined": undefined, **after}  # fmt: skip


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
            raise InputError(f"--where: no column {column!r}; there are {', '.join(map(str, table.columns))}")
        wanted.setdefault(column, set()).add(value)
    for column, values in wanted.items():
        table = table[table[column].astype("str").isin(values)]
    return table
