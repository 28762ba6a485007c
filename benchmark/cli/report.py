"""``bench report``: one HTML page about finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.errors import EXIT_FINDINGS


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="Folder to write index.html to.")  # fmt: skip
@click.option("--published", is_flag=True, help="Add the published COCO-AD rows to the leaderboard.")
@click.option("--no-images", is_flag=True, help="Leave the photographs out, as before handing the page on.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
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
