"""Findings as a table for people."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from cocoad.base.console import next_line, one_line, path_line, plain_table, show
from cocoad.dataset.manifest import DATASET_FILE, read_dataset
from cocoad.dataset.official import splits_in
from cocoad.verify.findings import Finding, Findings

SHOWN_IDS = 5
WITHOUT_IMAGES = {"images-unchecked", "image-absent"}  # with which no method can run
STYLES = {"error": "red", "warning": "yellow"}


def print_findings(dataset: Path, findings: Findings, coco_root: Path | None) -> None:
    """Print one row per finding on stdout, then the verdict and, where it can work, what to do next.

    Args:
        coco_root: as it was given.
    """
    if len(findings):
        table = plain_table()
        table.add_column("Code")
        table.add_column("Where", min_width=16)
        table.add_column("What is wrong, and what to do", min_width=30)
        for finding in findings:
            code = Text(f"{finding.code}\n", STYLES[finding.rule.severity])
            code.append(finding.rule.severity, "dim")
            table.add_row(code, Text(one_line(_place(finding))), _explanation(finding))
        show(table)
    warnings = len(findings) - findings.errors
    verdict = "sound" if findings.errors == 0 else f"not sound: {_number(findings.errors, 'error')}"
    more = f", {_number(warnings, 'warning')}" if warnings else ""
    click.echo(f"{path_line(str(dataset))} is {verdict}{more}")
    if findings.errors == 0 and not WITHOUT_IMAGES & findings.by_code().keys():
        run = ("bench", "run", "--method", "invad", "--split", _splits(dataset)[0], "--dataset", dataset)
        click.echo(next_line(*run, *([] if coco_root is None else ["--coco-root", coco_root])))


def _splits(dataset: Path) -> list[str]:
    """Return the splits of a sound dataset of either layout, ascending."""
    if (dataset / DATASET_FILE).is_file():
        return sorted(read_dataset(dataset).splits)
    return list(map(str, splits_in(dataset)))


def _place(finding: Finding) -> str:
    if not finding.ids:
        return finding.where
    shown = ", ".join(str(ident) for ident in finding.ids[:SHOWN_IDS])
    more = len(finding.ids) - SHOWN_IDS
    rest = f" and {more:,} more (--json lists all)" if more > 0 else ""
    return f"{finding.where}: {len(finding.ids):,} ({shown}{rest})"


def _explanation(finding: Finding) -> Text:
    text = Text(finding.rule.meaning)
    if finding.detail:
        text.append(f"; {'first: ' if len(finding.ids) > 1 else ''}{one_line(finding.detail)}")
    return text.append(f"\n→ {finding.rule.remedy}", "dim")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
