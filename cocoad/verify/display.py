"""Findings as a table for people."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.console import next_line, path_line, show
from cocoad.base.findings import table
from cocoad.dataset.manifest import DATASET_FILE, read_dataset
from cocoad.dataset.official import splits_in
from cocoad.verify.findings import Findings

WITHOUT_IMAGES = {"images-unchecked", "image-absent"}  # with which no method can run


def print_findings(dataset: Path, findings: Findings, coco_root: Path | None) -> None:
    """Print one row per finding on stdout, then the verdict and, where it can work, what to do next.

    Args:
        coco_root: as it was given.
    """
    if len(findings):
        show(table(findings))
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


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
