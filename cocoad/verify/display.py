"""Findings as a table for people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from cocoad.verify.findings import Findings

SHOWN_IDS = 5


def print_findings(dataset: Path, findings: Findings) -> None:
    """Print one row per finding on stdout, then the verdict."""
    console = Console()
    if len(findings):
        table = Table("code", "where", "images or files", "what is wrong", "what to do", show_lines=True)
        for finding in findings:
            colour = "red" if finding.rule.severity == "error" else "yellow"
            shown = ", ".join(str(ident) for ident in finding.ids[:SHOWN_IDS])
            more = len(finding.ids) - SHOWN_IDS
            ids = f"{len(finding.ids)}: {shown}" + (
                f" and {more} more (--json lists all)" if more > 0 else ""
            )
            detail = f"{finding.rule.meaning}" + (f"; first: {finding.detail}" if finding.detail else "")
            table.add_row(
                f"[{colour}]{finding.code}[/]",
                finding.where,
                ids if finding.ids else "–",
                detail,
                finding.rule.remedy,
            )
        console.print(table)
    warnings = len(findings) - findings.errors
    verdict = "sound" if findings.errors == 0 else f"not sound: {findings.errors} errors"
    console.print(f"{dataset} is {verdict}" + (f", {warnings} warnings" if warnings else ""), markup=False)
    if findings.errors == 0:
        console.print(f"next: bench run --method invad --split 0 --dataset {dataset}", markup=False)
