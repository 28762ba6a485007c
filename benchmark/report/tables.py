"""The report's tables: rankings, and metrics by held-out category, object size or class."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from benchmark.leaderboard.entries import Value
from benchmark.leaderboard.rank import Ranking
from benchmark.report.testsets import RunsOnTestSet
from benchmark.runs.columns import COLUMNS, DEFAULT_METRICS, METRICS
from benchmark.runs.record import ByProtocol

BROKEN_DOWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro", "pixel_f1_max", "pixel_iou_max")


@dataclass(frozen=True)
class Cell:
    """A number as shown, for sorting (None: no number) and, 0 to 1, for shading."""

    text: str
    number: float | None
    shade: float = 0.0
    best: bool = False


@dataclass(frozen=True)
class Head:
    """A column's heading; ``extra`` ones are hidden until all columns are asked for."""

    name: str
    label: str
    extra: bool
    higher_is_better: bool


@dataclass(frozen=True)
class Row:
    """A ranking's line."""

    label: str
    source: str
    trust: str
    pretraining: str  # of its encoder; empty: not known
    seeds: str
    published: bool
    cells: list[Cell]


@dataclass(frozen=True)
class BoardTable:
    """A ranking, ready to be shown."""

    title: str
    protocol: str
    notes: list[str]
    heads: list[Head]
    rows: list[Row]

    @property
    def with_sources(self) -> bool:
        """Whether some rows were published, so that it must be said which ones and where."""
        return any(row.published for row in self.rows)


@dataclass(frozen=True)
class Breakdown:
    """A metric under a protocol: a row per group, a column per run."""

    protocol: str
    metric: str
    rows: list[tuple[str, str, list[Cell]]]  # kind, name with number of images, cells


def board_table(ranking: Ranking) -> BoardTable:
    """Return a ranking as text and numbers; columns in which no entry has a number are left out."""
    known = [
        name for name in COLUMNS if any(math.isfinite(entry.values[name].mean) for entry in ranking.entries)
    ]
    heads = [
        Head(name, COLUMNS[name].heading, name not in DEFAULT_METRICS,
             COLUMNS[name].higher_is_better is True)
        for name in known
    ]  # fmt: skip
    bests = {name: _best([entry.values[name].mean for entry in ranking.entries], name) for name in known}
    rows = []
    for entry in ranking.entries:
        cells = [_cell(name, entry.values[name], bests[name]) for name in known]
        seeds = "" if entry.published else str(entry.seeds)
        caveats = f" ({', '.join(entry.caveats)})" if entry.caveats else ""
        pretraining = entry.budget.get("pretraining", "")
        source = entry.source + caveats
        rows.append(Row(entry.label, source, entry.trust, pretraining, seeds, entry.published, cells))
    return BoardTable(ranking.title, ranking.protocol, list(ranking.notes), heads, rows)


def _best(values: list[float], name: str) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return max(finite) if COLUMNS[name].higher_is_better else min(finite)


def _cell(name: str, value: Value, best: float) -> Cell:
    if not math.isfinite(value.mean):
        return Cell("–", None)
    column = COLUMNS[name]
    number = value.mean * column.factor
    text = f"{number:.{column.digits}f}"
    if value.deviation is not None and math.isfinite(value.deviation):
        text += f" ± {value.deviation * column.factor:.{column.digits}f}"
    return Cell(text + ("†" if value.outlier else ""), number, best=value.mean == best)


def breakdowns(group: RunsOnTestSet) -> list[Breakdown]:
    """Return tables of every metric by class (when there are several) and by group, under each protocol."""
    counts = Counter(name for row in group.runs[0].scores for name in row.groups)
    sizes = Counter(row.class_name for row in group.runs[0].scores)
    sources: list[tuple[str, str, list[ByProtocol]]] = []  # kind, name, of every run
    classes = sorted({name for run in group.runs for name in run.record.per_class})
    for name in classes if len(classes) > 1 else ():
        found = [run.record.per_class.get(name, {}) for run in group.runs]
        sources.append(("class", _counted(name, sizes[name]), found))
    for name in sorted({name for run in group.runs for name in run.record.per_group}, key=_group_order):
        kind, _, rest = name.partition(":")
        found = [run.record.per_group.get(name, {}) for run in group.runs]
        sources.append((kind if rest else "group", _counted(rest or name, counts[name]), found))
    if not sources:
        return []
    protocols = sorted({protocol for run in group.runs for protocol in run.record.metrics})
    tables = []
    for protocol in protocols:
        for metric in BROKEN_DOWN:
            rows = []
            for kind, name, found in sources:
                values = [one.get(protocol, {}).get(metric) for one in found]
                rows.append((kind, name, _shaded(values)))
            if any(cell.number is not None for _, _, cells in rows for cell in cells):
                tables.append(Breakdown(protocol, METRICS[metric].heading, rows))
    return tables


def _group_order(name: str) -> tuple[str, int, str]:
    sizes = ("size:small", "size:medium", "size:large")
    return name.partition(":")[0], sizes.index(name) if name in sizes else -1, name


def _counted(name: str, images: int) -> str:
    return f"{name} ({images})" if images else name


def _shaded(values: list[float | None]) -> list[Cell]:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    best = max(finite, default=None)
    return [
        Cell(f"{100 * value:.1f}", 100 * value, min(max(value, 0.0), 1.0), len(finite) > 1 and value == best)
        if value is not None and math.isfinite(value)
        else Cell("–", None)
        for value in values
    ]
