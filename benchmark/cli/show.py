"""``bench show``: print one run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("show")
@click.option("--run", "directory", required=True, type=click.Path(path_type=Path), help="A run's directory.")
def command(directory: Path) -> None:
    """Print a finished run: what it is, what it cost, and its metrics overall and by group."""
    from benchmark.runs.listing import details
    from benchmark.runs.record import read_record
    from cocoad.base.console import show

    show(*details(directory, read_record(directory)))
