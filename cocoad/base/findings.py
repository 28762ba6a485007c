"""Findings: everything that is wrong with something, under stable codes, each said once with all that it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_IDS = 5
STYLES = {"error": "red", "fatal": "red", "warning": "yellow", "repairable": "yellow", "taken": "green"}


@dataclass(frozen=True)
class Rule:
    """One kind of finding: its stable code, how bad it is, what it means and what to do."""

    code: str
    severity: str  # error or warning of a dataset; fatal, repairable or taken of an input
    meaning: str
    remedy: str


@dataclass
class Finding:
    """Everything found under one code in one place (a split, or a file)."""

    rule: Rule
    where: str
    ids: list[int | str] = field(default_factory=list)
    detail: str = ""  # of the first id
    more_details: list[str] = field(default_factory=list)  # of later ids, where they differ from it

    @property
    def code(self) -> str:
        """The stable code."""
        return self.rule.code


class Findings:
    """Collects findings, one per code and place, in the order in which they were first met."""

    def __init__(self, catalogue: Mapping[str, Rule]) -> None:
        self._catalogue = catalogue
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, code: str, where: str, ident: int | str | None = None, detail: str = "") -> None:
        """Note that ``code`` (of the catalogue) was met at ``where``, concerning the image or file ``ident``."""
        finding = self._found.setdefault((code, where), Finding(self._catalogue[code], where, detail=detail))
        if detail not in ("", finding.detail):
            finding.more_details.append(detail)
        if ident is not None:
            finding.ids.append(ident)

    def add_all(
        self, code: str, where: str, idents: Iterable[int | str] | Iterable[int], detail: str = ""
    ) -> None:
        """Note ``code`` for each of ``idents``."""
        for ident in idents:
            self.add(code, where, ident, detail)

    def extend(self, other: Findings) -> None:
        """Take over the findings of another check."""
        for finding in other:
            mine = self._found.setdefault(
                (finding.code, finding.where), Finding(finding.rule, finding.where, detail=finding.detail)
            )
            mine.ids += finding.ids
            mine.more_details += finding.more_details

    def _repr_html_(self) -> str:
        from cocoad.base.notebook import html_table

        rows = [(each.code, each.rule.severity, each.where, each.rule.meaning, each.detail) for each in self]
        return html_table(("code", "severity", "where", "meaning", "detail"), rows, repr(self))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def of_severity(self, *severities: str) -> list[Finding]:
        """Return the findings that are as bad as that."""
        return [finding for finding in self if finding.rule.severity in severities]

    def by_code(self) -> dict[str, list[Finding]]:
        """Return the findings under each code."""
        grouped: dict[str, list[Finding]] = defaultdict(list)
        for finding in self:
            grouped[finding.code].append(finding)
        return dict(grouped)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the findings for programs, every concerned id included."""
        return [
            {
                "code": finding.code,
                "severity": finding.rule.severity,
                "where": finding.where,
                "meaning": finding.rule.meaning,
                "detail": finding.detail,
                **({"more_details": finding.more_details} if finding.more_details else {}),
                "ids": finding.ids,
                "remedy": finding.rule.remedy,
            }
            for finding in self
        ]


def table(findings: Iterable[Finding]) -> Table:
    """Return findings as a table for people."""
    from rich.text import Text

    from cocoad.base.console import one_line, plain_table

    drawn = plain_table()
    drawn.add_column("Code")
    drawn.add_column("Where", min_width=16)
    drawn.add_column("What is wrong, and what to do", min_width=30)
    for finding in findings:
        code = Text(f"{finding.code}\n", STYLES[finding.rule.severity])
        code.append(finding.rule.severity, "dim")
        text = Text(finding.rule.meaning)
        if finding.detail:
            text.append(f"; {'first: ' if len(finding.ids) > 1 else ''}{one_line(finding.detail)}")
        text.append(f"\n→ {finding.rule.remedy}", "dim")
        drawn.add_row(code, Text(one_line(_place(finding))), text)
    return drawn


def _place(finding: Finding) -> str:
    if not finding.ids:
        return finding.where
    shown = ", ".join(str(ident) for ident in finding.ids[:SHOWN_IDS])
    more = len(finding.ids) - SHOWN_IDS
    rest = f" and {more:,} more (--json lists all)" if more > 0 else ""
    return f"{finding.where}: {len(finding.ids):,} ({shown}{rest})"
