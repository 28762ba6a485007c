"""Rankings for a terminal and as Markdown: percent, best bold, second underlined. LaTeX: :mod:`.latex`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.leaderboard.citations import Reference, citation, proper_name
from benchmark.leaderboard.entries import BUDGET, Entry, Value
from benchmark.leaderboard.published import CAVEATS
from benchmark.leaderboard.rank import Ranking
from benchmark.runs.columns import COLUMNS
from benchmark.runs.provenance import TRUST
from cocoad.base.console import one_line, plain_table

if TYPE_CHECKING:
    from rich.table import Table

OUTLIER_NOTE = (
    "† hinges on one extreme pixel: min–max normalisation over the test set squeezes all other scores "
    "together, a weakness of the published definition"
)
TERMINAL_LEGEND = "metrics in percent; best bold, second underlined"
Placed = tuple[str, int]  # a number as shown and its place in the column: 1, 2 or 0


def placed(ranking: Ranking, columns: Sequence[str]) -> list[list[Placed]]:
    """Return a ranking's numbers, row by row; places go by the value as shown (ties share one)."""
    places = {column: _places(ranking.entries, column) for column in columns}
    return [
        [(_text(entry.values[column], column), places[column][row]) for column in columns]
        for row, entry in enumerate(ranking.entries)
    ]


def _text(value: Value, column: str) -> str:
    shown = COLUMNS[column]
    if value.mean != value.mean:
        return "–"
    deviation = "" if value.deviation is None else f" ±{value.deviation * shown.factor:.{shown.digits}f}"
    return f"{shown.shown(value.mean):.{shown.digits}f}{deviation}{'†' if value.outlier else ''}"


def _places(entries: Sequence[Entry], column: str) -> list[int]:
    shown = [COLUMNS[column].shown(entry.values[column].mean) for entry in entries]
    distinct = sorted(
        {number for number in shown if number == number}, reverse=COLUMNS[column].higher_is_better is True
    )
    if len(distinct) < 2:
        return [0] * len(shown)
    return [{distinct[0]: 1, distinct[1]: 2}.get(number, 0) for number in shown]


def footnotes(rankings: Sequence[Ranking], columns: Sequence[str]) -> list[str]:
    """Return what the tables' marks and words mean: trust, letters of caveats, ‡ and †, as far as they are used."""
    entries = [entry for ranking in rankings for entry in ranking.entries]
    trusted = {entry.trust for entry in entries}
    notes = [f"{level}: {meaning}" for level, meaning in TRUST.items() if level in trusted]
    notes += [f"{letter}: {CAVEATS.get(key, key)}" for key, letter in letters(rankings).items()]
    if own := sorted({entry.own_recipe for entry in entries} - {""}):
        notes.append(f"‡ not trained by its paper's recipe ({', '.join(own)})")
    outlier = any(entry.values[column].outlier for entry in entries for column in columns)
    return [*notes, OUTLIER_NOTE] if outlier else notes


def letters(rankings: Sequence[Ranking]) -> dict[str, str]:
    """Return the letter of every caveat that is used."""
    present = {key for ranking in rankings for entry in ranking.entries for key in entry.caveats}
    ordered = [key for key in CAVEATS if key in present] + sorted(present - set(CAVEATS))
    return {key: chr(ord("a") + index % 26) for index, key in enumerate(ordered)}


def source(entry: Entry, marks: dict[str, str]) -> str:
    """Return how far a row can be trusted and where it comes from, for the column of that name."""
    if entry.published:
        own = ",".join(marks[key] for key in entry.caveats)
        return f"{entry.trust}: {entry.source}" + (f" [{own}]" if own else "")
    return entry.trust if entry.seeds == 1 else f"{entry.trust}, {entry.seeds} seeds"


def name(entry: Entry, proper: bool = False) -> str:
    """Return an entry's name with what tells it apart, and a sign where it had another recipe than its paper's."""
    method = proper_name(entry.method) if proper else entry.method
    details = f" ({entry.details})" if entry.details else ""
    return f"{method}{details}{'‡' if entry.own_recipe else ''}"


def budget(ranking: Ranking, entry: Entry) -> list[str]:
    """Return an entry's part of the columns in which the ranking's budgets differ."""
    return [entry.budget.get(key) or "–" for key in ranking.budget]


def references(rankings: Sequence[Ranking]) -> list[Reference]:
    """Return the papers of all methods in the rankings, in the order of their first row."""
    found = [citation(entry.method) for ranking in rankings for entry in ranking.entries]
    return list({one.key: one for one in found if one}.values())


def markdown(rankings: Sequence[Ranking], columns: Sequence[str]) -> str:
    """Return the rankings as Markdown tables (GitHub's dialect) with numbered references."""
    marks, papers = letters(rankings), references(rankings)
    numbers = {paper.key: number for number, paper in enumerate(papers, 1)}
    blocks = []
    for ranking in rankings:
        own = [BUDGET[key] for key in ranking.budget]
        heading = ["Method", "Source", *(COLUMNS[column].heading for column in columns), *own]
        lines = [f"### {_md(ranking.title)} ({ranking.protocol} protocol)", ""]
        lines += [f"> {_md(note)}\n" for note in ranking.notes]
        lines += ["| " + " | ".join(map(_md, heading)) + " |"]
        lines += ["| --- | --- |" + " ---: |" * len(columns) + " --- |" * len(own)]
        for entry, row in zip(ranking.entries, placed(ranking, columns), strict=True):
            texts = [("{}", "**{}**", "<ins>{}</ins>")[place].format(text) for text, place in row]
            paper = citation(entry.method)
            method = _md(name(entry, proper=True)) + (f" [{numbers[paper.key]}]" if paper else "")
            cells = [method, _md(source(entry, marks)), *texts, *map(_md, budget(ranking, entry))]
            lines.append("| " + " | ".join(cells) + " |")
        blocks.append("\n".join(lines) + "\n")
    legend = [
        "Metrics in percent; best **bold**, second <ins>underlined</ins>.",
        *map(_md, footnotes(rankings, columns)),
        *(f"[{numbers[paper.key]}] {_md(paper.text())}" for paper in papers),
    ]
    return "\n".join(blocks) + "\n" + "\n".join(f"- {line}" for line in legend) + "\n"


def _md(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", one_line(text))


def terminal_text(rankings: Sequence[Ranking], columns: Sequence[str], width: int | None = None) -> str:
    """Return the rankings for a terminal of ``width`` columns, or without styles as wide as they need.

    The column that they are ranked by comes first, so that a narrow terminal never drops it.
    """
    from rich.console import Console

    from cocoad.base.tables import fitted

    console = Console(width=width or 1000, force_terminal=width is not None, highlight=False)
    marks = letters(rankings)
    with console.capture() as capture:
        for ranking in rankings:
            console.print(
                f"{one_line(ranking.title)} ({ranking.protocol} protocol)", style="bold", markup=False
            )
            for note in ranking.notes:
                console.print(f"  note: {one_line(note)}", style="yellow", markup=False)
            table = _terminal_table(ranking, columns, marks, folded=width is not None)
            console.print(*fitted(table, console), sep="\n", markup=False, crop=False)
        for line in [TERMINAL_LEGEND, *footnotes(rankings, columns)]:
            console.print(line, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _terminal_table(ranking: Ranking, columns: Sequence[str], marks: dict[str, str], folded: bool) -> Table:
    from rich.text import Text

    def narrow(text: str) -> str:
        return re.sub(r"^([IP]-)| ", r"\1\n", text, count=1) if folded else text

    ordered = sorted(columns, key=lambda column: column != ranking.sort)
    table = plain_table(padding=(0, 1, 0, 0))
    table.add_column("Method")
    table.add_column(narrow(COLUMNS[ordered[0]].heading), justify="right")
    if "epochs" in ranking.budget:
        table.add_column("Epochs", justify="right")
    table.add_column("Source")
    for column in ordered[1:]:
        table.add_column(narrow(COLUMNS[column].heading), justify="right")
    for key in ranking.budget:
        if key != "epochs":
            table.add_column(BUDGET[key])
    for entry, row in zip(ranking.entries, placed(ranking, ordered), strict=True):
        first, *rest = [Text(narrow(text), style=("", "bold", "underline")[place]) for text, place in row]
        dim = "dim" if entry.published else ""
        parts = dict(zip(ranking.budget, budget(ranking, entry), strict=True))
        epochs = [Text(parts.pop("epochs"))] if "epochs" in parts else []
        named, where = (Text(one_line(text), dim) for text in (name(entry), source(entry, marks)))
        table.add_row(
            named, first, *epochs, where, *rest, *(Text(one_line(part), dim) for part in parts.values())
        )
    return table
