"""What `cocoad check` says to people."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.console import next_line, path_line, plain_table, show
from cocoad.base.findings import table
from cocoad.check import CheckReport


def print_report(report: CheckReport, root: Path) -> None:
    """Print what there is, one row per kind of fault, the verdict, and what to do next.

    Args:
        root: as it was given.
    """
    parts = plain_table()
    for name in ("Part", "Images", "Annotations", "Categories", "Unannotated", "Where"):
        parts.add_column(name, justify="left" if name in ("Part", "Where") else "right", overflow="fold")
    for part, what in report.parts.items():
        numbers = what.images, what.annotations, what.categories, what.unannotated
        where = f"{_short(what.annotations_file, report.root)}, {_short(what.images_folder, report.root)}/"
        parts.add_row(part, *map("{:,}".format, numbers), path_line(where))
    show(parts)
    if len(report.faults):
        show(table(report.faults))
    counts = [
        f"{len(found)} {severity}"
        for severity in ("fatal", "repairable", "taken")
        if (found := report.faults.of_severity(severity))
    ]
    kinds = f"kinds of faults: {', '.join(counts)}" if counts else "no faults"
    click.echo(f"{path_line(str(root))} ({report.layout}): {kinds}")
    if report.exit_code == 0:
        click.echo(next_line("cocoad", "build", "--coco-root", root))


def _short(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/")
