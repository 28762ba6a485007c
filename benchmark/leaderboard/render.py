"""Rankings as Markdown, LaTeX (booktabs) and terminal tables: percent, best bold, second underlined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.leaderboard.entries import Entry, Value
from benchmark.leaderboard.published import CAVEATS
from benchmark.leaderboard.rank import Ranking
from benchmark.runs.names import COLUMNS
from cocoad.base.console import one_line, plain_table

if TYPE_CHECKING:
    from rich.table import Table

OUTLIER_NOTE = (
    "† hinges on one extreme pixel: min–max normalisation over the test set squeezes all other scores "
    "together, a weakness of the published definition"
)
TERMINAL_LEGEND = "metrics in percent; best bold, second underlined; *: published, not run here"
LATEX_LEGEND = "Metrics in percent; best bold, second underlined; published rows in italics."
Cell = tuple[str, int]  # its text and its place in the column: 1, 2 or 0


def cells(ranking: Ranking, columns: Sequence[str]) -> list[list[Cell]]:
    """Return the cells of a ranking, row by row; places go by the value as shown (ties share one)."""
    places = {column: _places(ranking.entries, column) for column in columns}
    return [
        [(_text(entry.values[column], column), places[column][row]) for column in columns]
        for row, entry in enumerate(ranking.entries)
    ]


def _shown(value: Value, column: str) -> float:
    return round(value.mean * COLUMNS[column].factor, COLUMNS[column].digits)


def _text(value: Value, column: str) -> str:
    if value.mean != value.mean:
        return "–"
    digits, factor = COLUMNS[column].digits, COLUMNS[column].factor
    deviation = "" if value.deviation is None else f" ±{value.deviation * factor:.{digits}f}"
    return f"{_shown(value, column):.{digits}f}{deviation}{'†' if value.outlier else ''}"


def _places(entries: Sequence[Entry], column: str) -> list[int]:
    shown = [_shown(entry.values[column], column) for entry in entries]
    distinct = sorted(
        {number for number in shown if number == number}, reverse=COLUMNS[column].higher_is_better
    )
    if len(distinct) < 2:
        return [0] * len(shown)
    return [{distinct[0]: 1, distinct[1]: 2}.get(number, 0) for number in shown]


def footnotes(rankings: Sequence[Ranking], columns: Sequence[str]) -> list[str]:
    """Return what the tables' marks mean: the letters of caveats and, where shown, the dagger."""
    used = _letters(rankings)
    notes = [f"{letter}: {CAVEATS.get(key, key)}" for key, letter in used.items()]
    values = [entry.values[column] for ranking in rankings for entry in ranking.entries for column in columns]
    return [*notes, OUTLIER_NOTE] if any(value.outlier for value in values) else notes


def _letters(rankings: Sequence[Ranking]) -> dict[str, str]:
    present = {key for ranking in rankings for entry in ranking.entries for key in entry.caveats}
    ordered = [key for key in CAVEATS if key in present] + sorted(present - set(CAVEATS))
    return {key: chr(ord("a") + index % 26) for index, key in enumerate(ordered)}


def _source(entry: Entry, letters: dict[str, str]) -> str:
    """Return where a row comes from, for the column of that name."""
    if entry.published:
        marks = ",".join(letters[key] for key in entry.caveats)
        return f"published: {entry.source}" + (f" [{marks}]" if marks else "")
    return "run" if entry.seeds == 1 else f"{entry.seeds} seeds"


def markdown(rankings: Sequence[Ranking], columns: Sequence[str]) -> str:
    """Return the rankings as Markdown tables (GitHub's dialect)."""
    letters = _letters(rankings)
    heading = ["Method", "Source", *(COLUMNS[column].label for column in columns)]
    blocks = []
    for ranking in rankings:
        lines = [f"### {_md(ranking.title)} ({ranking.protocol} protocol)", ""]
        lines += [f"> {_md(note)}\n" for note in ranking.notes]
        lines += ["| " + " | ".join(map(_md, heading)) + " |", "| --- | --- |" + " ---: |" * len(columns)]
        for entry, row in zip(ranking.entries, cells(ranking, columns), strict=True):
            texts = [("{}", "**{}**", "<ins>{}</ins>")[place].format(text) for text, place in row]
            lines.append("| " + " | ".join([_md(entry.label), _md(_source(entry, letters)), *texts]) + " |")
        blocks.append("\n".join(lines) + "\n")
    legend = [
        "Metrics in percent; best **bold**, second <ins>underlined</ins>.",
        *footnotes(rankings, columns),
    ]
    return "\n".join(blocks) + "\n" + "\n".join(f"- {line}" for line in legend) + "\n"


def _md(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", one_line(text))


def latex(rankings: Sequence[Ranking], columns: Sequence[str]) -> str:
    """Return the rankings as LaTeX ``table*`` environments; they need the package booktabs."""
    blocks = [r"% needs \usepackage{booktabs}"]
    for ranking in rankings:
        letters = _letters([ranking])
        notes = [*ranking.notes, *footnotes([ranking], columns)]
        caption = f"{ranking.title} ({ranking.protocol} protocol). " + "".join(f"{note}. " for note in notes)
        heading = ["Method", "Source", *(COLUMNS[column].label for column in columns)]
        lines = [
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
            rf"\caption{{{_tex(caption + LATEX_LEGEND)}}}",
            rf"\begin{{tabular}}{{ll{'r' * len(columns)}}}",
            r"\toprule",
            " & ".join(map(_tex, heading)) + r" \\",
            r"\midrule",
        ]
        for entry, row in zip(ranking.entries, cells(ranking, columns), strict=True):
            forms = (r"{}", r"\textbf{{{}}}", r"\underline{{{}}}")
            texts = [forms[place].format(_tex_number(text)) for text, place in row]
            lines.append(" & ".join([_tex(entry.label), _tex_source(entry, letters), *texts]) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table*}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


_TEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "†": r"$^\dagger$", "–": "--",
}  # fmt: skip


def _tex_number(text: str) -> str:
    """Set the deviation small, or the tables would not fit a page."""
    mean, sign, rest = text.partition(" ±")
    deviation = rest.rstrip("†")
    small = rf"{{\tiny$\pm${deviation}}}" if sign else ""
    return _tex(mean) + small + _tex(rest[len(deviation) :])


def _tex_source(entry: Entry, letters: dict[str, str]) -> str:
    if not entry.published:
        return _source(entry, letters)
    marks = ",".join(letters[key] for key in entry.caveats)
    return rf"\textit{{{_tex(entry.source)}}}" + (f"$^{{{marks}}}$" if marks else "")


def _tex(text: str) -> str:
    return "".join(_TEX.get(mark, mark) for mark in one_line(text))


def terminal_text(rankings: Sequence[Ranking], columns: Sequence[str], width: int | None = None) -> str:
    """Return the rankings for a terminal of ``width`` columns, or without styles as wide as they need."""
    from rich.console import Console

    console = Console(width=width or 1000, force_terminal=width is not None, highlight=False)
    letters = _letters(rankings)
    with console.capture() as capture:
        for ranking in rankings:
            console.print(f"{ranking.title} ({ranking.protocol} protocol)", style="bold", markup=False)
            for note in ranking.notes:
                console.print(f"  note: {one_line(note)}", style="yellow", markup=False)
            console.print(_terminal_table(ranking, columns, letters, folded=width is not None))
        for line in [TERMINAL_LEGEND, *footnotes(rankings, columns)]:
            console.print(line, style="dim", markup=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _terminal_table(ranking: Ranking, columns: Sequence[str], letters: dict[str, str], folded: bool) -> Table:
    from rich.text import Text

    def narrow(text: str, gap: str) -> str:
        return text.replace(gap, "\n", 1) if folded else text

    table = plain_table(padding=(0, 1, 0, 0))
    table.add_column("Method", overflow="fold")
    table.add_column("Source", overflow="fold")
    for column in columns:
        table.add_column(narrow(COLUMNS[column].label, "-"), justify="right", no_wrap=True)
    for entry, row in zip(ranking.entries, cells(ranking, columns), strict=True):
        texts = [Text(narrow(text, " "), style=("", "bold", "underline")[place]) for text, place in row]
        dim = "dim" if entry.published else ""
        source = _source(entry, letters).replace("published: ", "*")
        table.add_row(Text(one_line(entry.label), dim), Text(one_line(source), dim), *texts)
    return table
