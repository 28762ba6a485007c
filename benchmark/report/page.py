"""The page: gathers runs, draws, and writes one file that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.leaderboard.rank import rankings
from benchmark.leaderboard.table import tidy
from benchmark.report.charts import (
    Chart,
    ClassCharts,
    class_charts,
    cost_charts,
    histograms,
    training_charts,
)
from benchmark.report.decisions import Slider, sliders
from benchmark.report.gallery import Wall, gallery
from benchmark.report.significance import Verdict, verdicts
from benchmark.report.tables import Breakdown, board_table, breakdowns
from benchmark.report.templates import rendered
from benchmark.report.testsets import RunsOnTestSet, Styles, test_sets
from benchmark.runs.collect import Rejected, load_runs
from benchmark.runs.columns import parse_columns
from cocoad.base.errors import InputError
from cocoad.base.files import write_atomic

PAGE_FILE = "index.html"
MOST_VIEWS = 640  # heatmaps on the page: what keeps it small however many runs there are
PER_WALL, WALLS = 4, 4

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Section:
    """All that is shown of one test set."""

    group: RunsOnTestSet
    curves: list[ClassCharts]
    histograms: list[Chart]
    breakdowns: list[Breakdown]
    training: list[Chart]
    sliders: list[Slider]
    walls: list[Wall]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Written:
    """The page and what is not on it."""

    path: Path
    size: int  # bytes
    runs: int
    rejected: list[Rejected]
    unfinished: list[Path]
    notes: list[str]


def write_report(
    paths: Sequence[Path], out: Path, *, published: bool = False, images: bool = True, advance: Advance
) -> Written:
    """Write ``out/index.html`` of the finished runs in or below ``paths``.

    Args:
        paths: run directories or folders that hold some.
        out: folder of the page; made when it is not there.
        published: put the published rows beside them in the leaderboard.
        images: show photographs where their files are still there.
        advance: hears what is being done, how much of it, of how much.

    Raises:
        InputError: there is no sound finished run.
    """
    runs, rejected, unfinished = load_runs(paths)
    if not runs:
        why = f"; {rejected[0].reason}" if rejected else ""
        raise InputError(f"nothing to report: no finished run among {len(rejected) + len(unfinished)}{why}")
    styles, notes = Styles(), list[str]()
    groups = list(test_sets(runs, styles, notes))
    views = sum(len(group.methods) for group in groups)
    per_wall = max(1, min(PER_WALL, MOST_VIEWS // (WALLS * views)))
    sections = []
    for done, group in enumerate(groups):
        advance(group.title, done, len(groups))
        sections.append(_section(group, styles, per_wall, images, notes))
    advance("page", len(groups), len(groups))
    ranked = rankings(tidy(runs, published), parse_columns("all"), "mad")
    page = rendered(
        "benchmark.report",
        "page.html",
        ("tables.js", "exports.js", "decisions.js", "gallery.js"),
        boards=[board_table(ranking) for ranking in ranked],
        costs=[(r.title, r.protocol, charts) for r in ranked if (charts := cost_charts(r, styles))],
        sections=sections,
        runs=len(runs),
        left_out=[refused.reason for refused in rejected]
        + [f"{directory}: not finished" for directory in unfinished],
        notes=list(dict.fromkeys(notes)),
        protocols=sorted({protocol for run in runs for protocol in run.record.metrics}),
    )
    write_atomic(out / PAGE_FILE, page)
    return Written(out / PAGE_FILE, len(page), len(runs), rejected, unfinished, list(dict.fromkeys(notes)))


def _section(group: RunsOnTestSet, styles: Styles, per_wall: int, images: bool, notes: list[str]) -> Section:
    first = [method.runs[0] for method in group.methods]  # of each method's seeds
    return Section(
        group=group,
        curves=class_charts(group),
        histograms=histograms(first),
        breakdowns=breakdowns(group),
        training=training_charts(group, styles),
        sliders=sliders(first),
        walls=gallery(first, per_wall, images, notes),
        verdicts=verdicts(group.methods),
    )
