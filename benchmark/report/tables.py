"""The report's tables: rankings, and metrics by held-out category, object size or class."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import stdev

from benchmark.leaderboard.entries import BUDGET, Value
from benchmark.leaderboard.rank import Ranking
from benchmark.leaderboard.render import footnotes, letters
from benchmark.report.testsets import RunsOnTestSet
from benchmark.runs.columns import COLUMNS, DEFAULT_METRICS, METRICS, Column
from benchmark.runs.record import ByProtocol

NO_METRIC = (
    "No metric is defined on this test set: it has only normal images, or only anomalous ones. Scores and maps are "
    "below."
)
BROKEN_DOWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro", "pixel_f1_max", "pixel_iou_max")


@dataclass(frozen=True)
class TableCell:
    """A number as shown, for sorting (None: no number) and, 0 to 1, for shading."""

    text: str
    number: float | None
    shade: float = 0.0
    best: bool = False


@dataclass(frozen=True)
class Head:
    """A column's heading and what it means; ``extra`` ones are hidden until all columns are asked for."""

    name: str
    label: str
    meaning: str
    extra: bool
    higher_is_better: bool


@dataclass(frozen=True)
class BoardRow:
    """A ranking's line."""

    label: str
    source: str
    trust: str
    pretraining: str  # of its encoder; empty: not known
    seeds: str
    published: bool
    cells: list[TableCell]
    sign: str  # of a recipe that is not its paper's
    budget: list[str]  # of the columns in which the ranking's budgets differ


@dataclass(frozen=True)
class BoardTable:
    """A ranking, ready to be shown."""

    title: str
    protocol: str
    notes: list[str]
    heads: list[Head]
    rows: list[BoardRow]
    budget: list[str]  # headings

    @property
    def has_metrics(self) -> bool:
        """Whether any metric is known of any row."""
        return any(head.name in METRICS for head in self.heads)

    @property
    def with_sources(self) -> bool:
        """Whether some rows were published, so that it must be said which ones and where."""
        return any(row.published for row in self.rows)


@dataclass(frozen=True)
class Breakdown:
    """A metric under a protocol: a row per group, a column per method, mean ± deviation over its seeds."""

    protocol: str
    metric: str
    meaning: str
    rows: list[tuple[str, str, list[TableCell]]]  # kind, name with number of images, cells


def board_table(ranking: Ranking) -> BoardTable:
    """Return a ranking as text and numbers; columns in which no entry has a number are left out."""
    ordered = ("mad", *(name for name in COLUMNS if name != "mad"))
    known = [
        name for name in ordered if any(math.isfinite(entry.values[name].mean) for entry in ranking.entries)
    ]
    heads = [
        Head(name, COLUMNS[name].heading, _meaning(COLUMNS[name]), name not in DEFAULT_METRICS,
             COLUMNS[name].higher_is_better is True)
        for name in known
    ]  # fmt: skip
    bests = {name: _best([entry.values[name].mean for entry in ranking.entries], name) for name in known}
    marks = letters([ranking])
    shown = [key for key in ranking.budget if key != "pretraining"]  # which is always a column
    rows = []
    for entry in ranking.entries:
        cells = [_cell(name, entry.values[name], bests[name]) for name in known]
        seeds = "" if entry.published else str(entry.seeds)
        caveats = f" ({', '.join(marks[key] for key in entry.caveats)})" if entry.caveats else ""
        pretraining = entry.budget.get("pretraining", "")
        source = entry.source + caveats
        rows.append(
            BoardRow(
                entry.label, source, entry.trust, pretraining, seeds, entry.published, cells,
                "‡" if entry.own_recipe else "", [entry.budget.get(key) or "–" for key in shown],
            )
        )  # fmt: skip
    notes = [*ranking.notes, *footnotes([ranking], known)]
    if not any(head.name in METRICS for head in heads):
        notes.insert(0, NO_METRIC)
    return BoardTable(ranking.title, ranking.protocol, notes, heads, rows, [BUDGET[key] for key in shown])


def _meaning(column: Column) -> str:
    unit = "percent" if column.name in METRICS else column.unit
    better = "more is better" if column.higher_is_better else "less is better"
    return f"{column.meaning} ({unit}; {better})"


def _best(values: list[float], name: str) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return max(finite) if COLUMNS[name].higher_is_better else min(finite)


def _cell(name: str, value: Value, best: float) -> TableCell:
    if not math.isfinite(value.mean):
        return TableCell("–", None)
    column = COLUMNS[name]
    number = value.mean * column.factor
    text = f"{number:.{column.digits}f}"
    if value.deviation is not None and math.isfinite(value.deviation):
        text += f" ± {value.deviation * column.factor:.{column.digits}f}"
    return TableCell(text + ("†" if value.outlier else ""), number, best=value.mean == best)


def breakdowns(group: RunsOnTestSet) -> list[Breakdown]:
    """Return tables of every metric by class (when there are several) and by group, under each protocol."""
    counts = Counter(name for row in group.runs[0].scores for name in row.groups)
    sizes = Counter(row.class_name for row in group.runs[0].scores)
    sources: list[tuple[str, str, list[list[ByProtocol]]]] = []  # kind, name, of every method's runs
    classes = sorted({name for run in group.runs for name in run.record.per_class})
    for name in classes if len(classes) > 1 else ():
        found = [[run.record.per_class.get(name, {}) for run in method.runs] for method in group.methods]
        sources.append(("class", _counted(name, sizes[name]), found))
    for name in sorted({name for run in group.runs for name in run.record.per_group}, key=_group_order):
        kind, _, rest = name.partition(":")
        found = [[run.record.per_group.get(name, {}) for run in method.runs] for method in group.methods]
        sources.append((kind if rest else "group", _counted(rest or name, counts[name]), found))
    if not sources:
        return []
    protocols = sorted({protocol for run in group.runs for protocol in run.record.metrics})
    tables = []
    for protocol in protocols:
        for metric in BROKEN_DOWN:
            rows = []
            for kind, name, found in sources:
                values = [[one.get(protocol, {}).get(metric) for one in runs] for runs in found]
                rows.append((kind, name, _shaded(values)))
            if any(cell.number is not None for _, _, cells in rows for cell in cells):
                column = METRICS[metric]
                tables.append(Breakdown(protocol, column.heading, _meaning(column), rows))
    return tables


def _group_order(name: str) -> tuple[str, int, str]:
    sizes = ("size:small", "size:medium", "size:large")
    return name.partition(":")[0], sizes.index(name) if name in sizes else -1, name


def _counted(name: str, images: int) -> str:
    return f"{name} ({images})" if images else name


def _shaded(values: list[list[float | None]]) -> list[TableCell]:
    """Return a row's cells of each method's values, one per seed."""
    means = [_mean_of(seeds) for seeds in values]
    finite = [mean for mean in means if mean is not None]
    best = max(finite, default=None)
    cells = []
    for seeds, mean in zip(values, means, strict=True):
        if mean is None:
            cells.append(TableCell("–", None))
            continue
        spread = (
            f" ± {100 * stdev([seed for seed in seeds if seed is not None]):.1f}" if len(seeds) > 1 else ""
        )
        shade = min(max(mean, 0.0), 1.0)
        cells.append(
            TableCell(f"{100 * mean:.1f}{spread}", 100 * mean, shade, len(finite) > 1 and mean == best)
        )
    return cells


def _mean_of(seeds: list[float | None]) -> float | None:
    """Return the mean over seeds; None where one is not known, as nothing is skipped."""
    known = [seed for seed in seeds if seed is not None and math.isfinite(seed)]
    return sum(known) / len(known) if known and len(known) == len(seeds) else None
