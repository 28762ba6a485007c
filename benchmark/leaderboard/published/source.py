"""One published source: a paper, a benchmark or a repository, as a YAML file that can be reviewed beside it.

``template.yaml`` is one to copy; ``splits/schemas/published.schema.json`` is the schema of such a file, and
``docs/how-to/publish.md`` says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmark.config import read_yaml
from benchmark.leaderboard.published.datasets import of_published
from benchmark.metrics.protocols import AGGREGATES, METRICS
from cocoad.base.errors import InputError

IDENTITY = ("method", "split", "caveats")
Value = str | int | float | None


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows on one dataset, scored alike, in percent as they are printed.

    The first line of ``table`` names its columns: ``method``, ``split`` (0 … 3, or ``mean``) where the dataset has
    splits, metrics, and ``caveats`` (separated by ``;``) where single rows have some.
    """

    title: str
    dataset: str
    image_size: int | None  # evaluation resolution in pixels, square; null: not stated
    epochs: int | None  # null: not stated
    table: list[list[Value]]
    caveats: list[str] = []  # of all rows


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published source."""

    format: Literal["cocoad-published"]
    format_version: Literal[1]
    source: str  # as the leaderboard names it
    title: str
    cite: str  # its key in citations.bib
    where: str  # what the numbers were read from: tables, pages, logs
    protocol: Literal["ader", "exact"]
    setting: Literal["multi-class", "per-class"]
    tables: list[Table]
    pretraining: dict[str, str] = {}  # by method: what its encoder has seen before; none; absent: unknown


def read_source(path: Path) -> Source:
    """Read one file.

    Raises:
        InputError: it cannot be read, is no such file, or a line of a table does not fit its columns.
    """
    try:
        source = msgspec.convert(read_yaml(path), Source)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not a published source: {error}") from None
    for number, table in enumerate(source.tables):
        where = f"{path}: tables[{number}]"
        if not table.table or "method" not in table.table[0]:
            raise InputError(f"{where}: its first line must name its columns, method among them")
        if unknown := [name for name in table.table[0] if name not in (*IDENTITY, *METRICS)]:
            raise InputError(f"{where}: no column {unknown[0]}: there are {', '.join((*IDENTITY, *METRICS))}")
        if wrong := [line[:2] for line in table.table[1:] if not _fits(line, table.table[0])]:
            raise InputError(f"{where}: the line {wrong[0]} … does not fit the columns (percent, 0 to 100)")
    return source


def _fits(line: list[Value], heading: list[Value]) -> bool:
    if len(line) != len(heading):
        return False
    metrics = [value for name, value in zip(heading, line, strict=True) if name not in IDENTITY]
    return all(value is None or (not isinstance(value, str) and 0 <= value <= 100) for value in metrics)


def rows_of(source: Source) -> Iterator[dict[str, Any]]:
    """Yield a source's rows as the tidy table has them: metrics as fractions, means computed from them."""
    for table in source.tables:
        heading = [str(name) for name in table.table[0]]
        about = of_published(table.dataset)
        for line in table.table[1:]:
            given = dict(zip(heading, line, strict=True))
            split = "" if given.get("split") is None else str(given["split"])
            own = str(given["caveats"]).split(";") if given.get("caveats") else []
            metrics = {name: _fraction(given.get(name)) for name in METRICS}
            yield {
                "source": source.source,
                "trust": "reported",
                "method": str(given["method"]),
                "pretraining": source.pretraining.get(str(given["method"]), ""),
                "epochs": "" if table.epochs is None else str(table.epochs),
                "dataset": table.dataset,
                "classes": ";".join(about.classes) if about else "",
                "setting": source.setting,
                "image_size": "" if table.image_size is None else str(table.image_size),
                "split": split,
                **(about.counts(split) if about else {}),
                "protocol": source.protocol,
                **metrics,
                **{name: _mean([metrics[part] for part in parts]) for name, parts in AGGREGATES.items()},
                "caveats": ";".join([*table.caveats, *own]),
            }


def _fraction(value: Value) -> float:
    return float("nan") if value is None else round(float(value) / 100, 9)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
