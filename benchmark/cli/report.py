"""``bench report``: one HTML page about finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import PUBLISHED
from cocoad.base.commands import DIRECTORY, QUIET
from cocoad.base.errors import EXIT_FINDINGS

EXAMPLES = (
    "bench report runs --out report                    # then open report/index.html",
    "bench report runs --out report --published --no-images",
)
PAGE = "docs/how-to/report.md"


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=DIRECTORY,
              help="Folder to write index.html to.")  # fmt: skip
@PUBLISHED
@click.option("--no-images", is_flag=True, help="Leave the photographs out, as before handing the page on.")
@QUIET
def command(runs: tuple[Path, ...], out: Path, published: bool, no_images: bool, quiet: bool) -> None:
    """Write one page, OUT/index.html, about the finished runs in or below RUNS.

    It holds the leaderboard, curves, costs, breakdowns and a gallery, and opens from disk without a network.
    Exits with 1 when a record had to be refused.
    """
    from benchmark.report.page import write_report
    from cocoad.base.console import one_line, progress_callback

    with progress_callback(quiet) as advance:
        written = write_report(runs, out, published=published, images=not no_images, advance=advance)
    for refused in written.rejected:
        click.echo(f"left out: {one_line(refused.reason)}", err=True)
    for note in written.notes:
        click.echo(f"note: {one_line(note)}", err=True)
    if written.unfinished:
        click.echo(f"left out: {len(written.unfinished)} unfinished run(s), see `bench runs`", err=True)
    click.echo(f"{written.path}: {written.runs} run(s), {written.size / 1e6:.1f} MB")
    if written.rejected:
        click.get_current_context().exit(EXIT_FINDINGS)
