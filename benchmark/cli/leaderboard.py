"""``bench leaderboard``: rank finished runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli.options import PUBLISHED, RUNS
from cocoad.base.commands import FILE
from cocoad.base.errors import EXIT_FINDINGS

if TYPE_CHECKING:
    from benchmark.leaderboard.board import Format

EXAMPLES = (
    "bench leaderboard runs --published",
    "bench leaderboard runs --metrics all --sort pixel_ap --where split=0",
    "bench leaderboard runs --format latex --out table.tex",
    "bench leaderboard runs --format csv | head -1",
)
PAGE = "docs/how-to/leaderboard.md"


@click.command("leaderboard")
@RUNS
@click.option("--format", "form", type=click.Choice(["table", "csv", "md", "latex", "bib"]), default="table",
              show_default=True)  # fmt: skip
@click.option("--out", type=FILE, help="Write here instead of to stdout.")
@click.option(
    "--protocol", type=click.Choice(["ader", "exact"]), help="Default: ader in tables, both in CSV."
)
@click.option("--metrics", help="Columns, comma-separated; also: metrics, costs, all.")
@click.option("--sort", help="Column to rank by, best first, or 'method'.  [default: mad]")
@click.option("--where", "conditions", multiple=True, metavar="COLUMN=VALUE", help="Keep such rows only.")
@PUBLISHED
def command(
    runs: tuple[Path, ...],
    form: Format,
    out: Path | None,
    protocol: str | None,
    metrics: str | None,
    sort: str | None,
    conditions: tuple[str, ...],
    published: bool,
) -> None:
    """Rank the finished runs in or below RUNS.

    CSV is tidy: a row per method, dataset, split, seed and protocol, in fractions. The other formats rank
    methods by their means over splits and seeds, in percent. Exits with 1 when a record had to be refused.
    """
    from benchmark.leaderboard.board import leaderboard
    from cocoad.base.console import path_line
    from cocoad.base.files import write_atomic

    board = leaderboard(runs, conditions, published)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not out else None
    text = board.text(form, protocol, metrics, sort, width)
    if out:
        write_atomic(out, text.encode())
        click.echo(f"wrote {path_line(str(out))}", err=True)
        if form in ("md", "latex"):
            papers = out.with_suffix(".bib")
            write_atomic(papers, board.bibtex().encode())
            click.echo(f"wrote {path_line(str(papers))}", err=True)
    else:
        click.echo(text, nl=False)
    for refused in board.rejected:
        click.echo(f"left out: {path_line(refused.reason)}", err=True)
    if board.unfinished:
        click.echo(f"left out: {len(board.unfinished)} unfinished run(s), see `bench runs`", err=True)
    if board.rejected:
        click.get_current_context().exit(EXIT_FINDINGS)
