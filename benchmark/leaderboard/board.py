"""The leaderboard: runs in, a table out, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.leaderboard.citations import bibtex
from benchmark.leaderboard.latex import latex
from benchmark.leaderboard.published import published_sources
from benchmark.leaderboard.rank import Ranking, rankings
from benchmark.leaderboard.render import letters, markdown, name, placed, source, terminal_text
from benchmark.leaderboard.table import csv_text, tidy, where
from benchmark.runs.collect import Rejected, load_runs
from benchmark.runs.columns import COLUMNS, parse_columns
from cocoad.base.errors import InputError
from cocoad.base.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["table", "csv", "md", "latex", "bib"]
RANKED_PROTOCOL = "ader"  # of the rankings, when none is named: published rows have no other


@dataclass(frozen=True)
class Leaderboard:
    """The tidy table of the sound runs, the runs that were refused and those that are not finished."""

    table: pd.DataFrame
    rejected: list[Rejected]
    unfinished: list[Path]

    def __repr__(self) -> str:
        return f"Leaderboard({len(self.table)} rows, {self.table['method'].nunique()} methods)"

    def _repr_html_(self) -> str:
        columns = parse_columns(None)
        headings = ("method", "source", *(COLUMNS[column].heading for column in columns))
        ranked = self.rankings()
        marks = letters(ranked)
        tables = []
        for ranking in ranked:
            rows = [
                (name(entry), source(entry, marks), *(text for text, _ in numbers))
                for entry, numbers in zip(ranking.entries, placed(ranking, columns), strict=True)
            ]
            tables.append(html_table(headings, rows, f"{ranking.title} ({ranking.protocol} protocol)"))
        return "\n".join(tables)

    def to_pandas(self) -> pd.DataFrame:
        """Return the tidy table: a row per method, dataset, split, seed and protocol, in fractions."""
        return self.table

    def rankings(
        self, protocol: str | None = None, metrics: str | None = None, sort: str | None = None
    ) -> list[Ranking]:
        """Return the rankings under ``protocol`` (default ``ader``).

        ``metrics`` is a comma-separated list of columns; ``sort`` a column, by default mad or else the first.
        """
        columns = parse_columns(metrics)
        table = where(self.table, [f"protocol={protocol or RANKED_PROTOCOL}"])
        return rankings(table, columns, sort or ("mad" if "mad" in columns else columns[0]))

    def csv(self, protocol: str | None = None) -> str:
        """Return the tidy table (fractions), of one protocol or both."""
        return csv_text(where(self.table, [f"protocol={protocol}"] if protocol else []))

    def bibtex(self) -> str:
        """Return BibTeX entries of the methods in the table, and of the published sources."""
        sources = {source.source: source.cite for source in published_sources()}
        used = [sources[name] for name in set(self.table["source"]) if name in sources]
        return bibtex(set(self.table["method"]), used)

    def text(
        self,
        form: Format,
        protocol: str | None = None,
        metrics: str | None = None,
        sort: str | None = None,
        width: int | None = None,
    ) -> str:
        """Return the leaderboard as ``form``; ``table`` is styled when given the terminal's ``width``."""
        if form == "csv":
            return self.csv(protocol)
        if form == "bib":
            return self.bibtex()
        columns = parse_columns(metrics)
        ranked = self.rankings(protocol, metrics, sort)
        if not ranked and not self.rejected:
            raise InputError(
                f"no rows under the protocol {protocol or RANKED_PROTOCOL}; try the other --protocol"
            )
        if form == "table":
            return terminal_text(ranked, columns, width)
        return {"md": markdown, "latex": latex}[form](ranked, columns)


def leaderboard(
    paths: Sequence[Path], conditions: Sequence[str] = (), published: bool = False
) -> Leaderboard:
    """Gather the runs under ``paths`` (with ``published`` there may be none) into a leaderboard.

    Args:
        paths: run directories or folders that hold some.
        conditions: ``column=value`` filters on the tidy table.
        published: add the published rows.

    Raises:
        InputError: no runs, a wrong condition, or nothing is left to rank.
    """
    if not paths and not published:
        raise InputError(
            "name a folder of runs, such as `bench leaderboard runs`, or ask for --published rows"
        )
    runs, rejected, unfinished = load_runs(paths) if paths else ([], [], [])
    table = where(tidy(runs, published), conditions)
    if table.empty and not rejected:
        raise InputError(
            f"nothing to rank: of {len(runs)} finished run(s) none is left ({len(unfinished)} unfinished)"
        )
    return Leaderboard(table, rejected, unfinished)
