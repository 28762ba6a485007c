"""Rankings as LaTeX: booktabs tables with labels, methods by their proper names, and citations."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.leaderboard.citations import citation, label_of
from benchmark.leaderboard.entries import BUDGET, Entry
from benchmark.leaderboard.rank import Ranking
from benchmark.leaderboard.render import budget, footnotes, letters, name, placed, source
from benchmark.runs.columns import COLUMNS
from cocoad.base.console import one_line

LEGEND = "Metrics in percent; best bold, second underlined; published rows in italics."


def latex(rankings: Sequence[Ranking], columns: Sequence[str]) -> str:
    """Return the rankings as ``table*`` environments; they need booktabs and, for citations, the BibTeX entries."""
    blocks = [r"% needs \usepackage{booktabs}; the cited keys are those of `bench leaderboard --format bib`"]
    for ranking in rankings:
        own = [BUDGET[key] for key in ranking.budget]
        marks = letters([ranking])
        notes = [*ranking.notes, *footnotes([ranking], columns)]
        caption = f"{ranking.title} ({ranking.protocol} protocol). " + "".join(f"{note}. " for note in notes)
        heading = ["Method", "Source", *(COLUMNS[column].heading for column in columns), *own]
        lines = [
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
            rf"\caption{{{_tex(caption + LEGEND)}}}",
            rf"\label{{{label_of(f'{ranking.title} {ranking.protocol}')}}}",
            rf"\begin{{tabular}}{{ll{'r' * len(columns)}{'l' * len(own)}}}",
            r"\toprule",
            " & ".join(map(_tex, heading)) + r" \\",
            r"\midrule",
        ]
        for entry, row in zip(ranking.entries, placed(ranking, columns), strict=True):
            forms = (r"{}", r"\textbf{{{}}}", r"\underline{{{}}}")
            texts = [forms[place].format(_tex_number(text)) for text, place in row]
            cells = [_tex_name(entry), _tex_source(entry, marks), *texts, *map(_tex, budget(ranking, entry))]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table*}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


_TEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "–": "--", "…": r"\ldots{}", "×": r"$\times$",
}  # fmt: skip


def _tex_name(entry: Entry) -> str:
    paper = citation(entry.method)
    return _tex(name(entry, proper=True)) + (rf"~\cite{{{paper.key}}}" if paper else "")


def _tex_number(text: str) -> str:
    """Set the deviation small, or the tables would not fit a page."""
    mean, sign, rest = text.partition(" ±")
    deviation = rest.rstrip("†")
    small = rf"{{\tiny$\pm${deviation}}}" if sign else ""
    return _tex(mean) + small + _tex(rest[len(deviation) :])


def _tex_source(entry: Entry, marks: dict[str, str]) -> str:
    if not entry.published:
        return source(entry, marks)
    own = ",".join(marks[key] for key in entry.caveats)
    return rf"\textit{{{_tex(entry.source)}}}" + (f"$^{{{own}}}$" if own else "")


def _tex(text: str) -> str:
    return "".join(_TEX.get(mark, mark) for mark in one_line(text))
