"""A leaderboard's site: every submission of a folder verified, ranked and drawn, on one page that opens from disk."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.leaderboard.board import Leaderboard
from benchmark.leaderboard.rank import Ranking, rankings
from benchmark.leaderboard.table import tidy, where
from benchmark.report.charts import Chart, ClassCharts, class_charts, cost_charts, histograms
from benchmark.report.tables import Breakdown, board_table, breakdowns
from benchmark.report.templates import rendered
from benchmark.report.testsets import RunsOnTestSet, Styles, test_sets
from benchmark.runs.collect import load_runs
from benchmark.runs.columns import parse_columns
from benchmark.runs.provenance import TRUST
from benchmark.submissions.format import SUBMISSION_FILE, About
from benchmark.submissions.truth import Truth
from benchmark.submissions.unpack import unpack
from benchmark.submissions.verify import Verified, verify
from cocoad.base.errors import InputError
from cocoad.base.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd

PAGE_FILE, TABLE_FILE, BIBLIOGRAPHY_FILE = "index.html", "leaderboard.csv", "leaderboard.bib"
MEAN = "mean"  # what a board is of, beside single splits
LINKS = ("paper", "code", "weights")

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Section:
    """What is drawn of a test set."""

    group: RunsOnTestSet
    curves: list[ClassCharts]
    histograms: list[Chart]
    breakdowns: list[Breakdown]


@dataclass(frozen=True)
class Site:
    """What was written, and which submissions were refused."""

    path: Path
    shown: list[Verified]
    refused: list[Verified]


def write_site(
    folder: Path,
    truths: Sequence[Truth],
    out: Path,
    *,
    title: str = "COCO-AD leaderboard",
    published: bool = True,
    advance: Advance = lambda what, done, total: None,
) -> Site:
    """Write ``out/index.html``, ``leaderboard.csv`` and ``leaderboard.bib``; the same input gives the same bytes.

    Args:
        folder: holds submissions, each a folder.
        truths: ground truth of their test sets.
        out: made when it is not there.
        title: of the page.
        published: put the published rows beside the submissions.
        advance: hears what is being done, how much of it, of how much.

    Raises:
        InputError: there is nothing to show.
    """
    shown, refused = _verified(folder, truths, advance)
    if not shown and not published:
        raise InputError(f"{folder} holds no sound submission, and published rows are not asked for")
    with tempfile.TemporaryDirectory() as unpacked:
        for one in shown:
            unpack(one, Path(unpacked))
        runs = load_runs([Path(unpacked)])[0] if shown else []
        styles = Styles()
        sections = [
            Section(group, class_charts(group), histograms(group.runs), breakdowns(group))
            for group in test_sets(runs, styles, [])
        ]
    table = tidy(runs, published)
    table["run"] = [Path(run).name for run in table["run"]]
    board = Leaderboard(table, [], [])
    ranked = rankings(table, parse_columns("all"), "mad")
    boards = [*((_part(ranking), ranking) for ranking in ranked), *_split_by_split(table, ranked)]
    abouts = {one.name: one.submission.about for one in shown if one.submission is not None}
    page = rendered(
        "benchmark.submissions",
        "site.html",
        ("tables.js", "exports.js"),
        title=title,
        boards=[(part, board_table(ranking)) for part, ranking in boards],
        parts=sorted({part for part, _ in boards}),
        levels=[name for name in reversed(TRUST) if name in set(table["trust"])],
        pretrainings=sorted(set(table["pretraining"]) - {""}),
        trust=TRUST,
        links=_links(boards, list(abouts.values())),
        costs=[(r.title, r.protocol, charts) for r in ranked if (charts := cost_charts(r, styles))],
        sections=sections,
        shown=shown,
        refused=refused,
        files=(TABLE_FILE, BIBLIOGRAPHY_FILE),
    )
    own = "".join(f"{about.bibtex.strip()}\n\n" for about in abouts.values() if about.bibtex)
    write_atomic(out / TABLE_FILE, board.csv().encode())
    write_atomic(out / BIBLIOGRAPHY_FILE, (own + board.bibtex()).encode())
    write_atomic(out / PAGE_FILE, page)
    return Site(out / PAGE_FILE, shown, refused)


def _verified(
    folder: Path, truths: Sequence[Truth], advance: Advance
) -> tuple[list[Verified], list[Verified]]:
    """Return the sound submissions in ``folder`` that none replaces, and those with findings."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of submissions")
    places = sorted(path.parent for path in folder.glob(f"*/{SUBMISSION_FILE}"))
    found: list[Verified] = []
    for done, place in enumerate(places):
        advance(place.name, done, len(places))
        found.append(verify(place, truths))
    replaced = {one.submission.about.replaces for one in found if one.submission and not one.findings}
    shown = [one for one in found if not one.findings and one.name not in replaced]
    return shown, [one for one in found if one.findings]


def _part(ranking: Ranking) -> str:
    """Return which splits a ranking is of: a single one, or their mean (or a dataset without splits)."""
    found = re.search(r", (split \d+)", ranking.title)
    return found[1] if found else MEAN


def _split_by_split(table: pd.DataFrame, ranked: Sequence[Ranking]) -> Iterator[tuple[str, Ranking]]:
    """Yield the rankings of single splits that are not among ``ranked``."""
    known = {(ranking.title, ranking.protocol) for ranking in ranked}
    for split in sorted(set(table["split"]) - {"", MEAN}):
        for ranking in rankings(where(table, [f"split={split}"]), parse_columns("all"), "mad"):
            if (ranking.title, ranking.protocol) not in known:
                yield f"split {split}", ranking


def _links(
    boards: Sequence[tuple[str, Ranking]], abouts: Sequence[About]
) -> dict[str, list[tuple[str, str]]]:
    """Return the addresses behind a row's label; none where several submissions go by the method's name."""
    found = {}
    for entry in (entry for _, ranking in boards for entry in ranking.entries if not entry.published):
        of_method = [about for about in abouts if about.method == entry.method]
        if len(of_method) == 1:
            found[entry.label] = [(name, url) for name in LINKS if (url := getattr(of_method[0], name))]
    return found
