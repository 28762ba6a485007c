"""``bench site``: a leaderboard's site from a folder of submissions."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import scored_on
from cocoad.base.commands import DIRECTORY, QUIET
from cocoad.base.errors import EXIT_FINDINGS

EXAMPLES = ("bench site results --truth truth --out site        # then open site/index.html",)
PAGE = "docs/how-to/host-a-leaderboard.md"


@click.command("site")
@click.argument("folder", type=DIRECTORY)
@click.option("--out", required=True, type=DIRECTORY, help="Folder to write index.html to.")
@scored_on
@click.option("--title", default="COCO-AD leaderboard", show_default=True, help="Of the page.")
@click.option("--no-published", is_flag=True, help="Leave the published rows out.")
@QUIET
def command(
    folder: Path,
    out: Path,
    dataset: Path | None,
    coco_root: Path | None,
    truth: Path | None,
    title: str,
    no_published: bool,
    quiet: bool,
) -> None:
    """Write a static leaderboard, OUT/index.html, of the submissions in FOLDER and of the published rows.

    Every submission is verified and scored again; those with findings are named and left out, and the command
    exits with 1. The page opens from disk and needs no network; any host can serve it.
    """
    from benchmark.submissions.render import lines_of
    from benchmark.submissions.site import write_site
    from benchmark.submissions.verify import truths_for
    from cocoad.base.console import progress_callback

    truths = truths_for(sorted(folder.glob("*")), truth, dataset, coco_root)
    with progress_callback(quiet) as advance:
        site = write_site(folder, truths, out, title=title, published=not no_published, advance=advance)
    for line in (line for one in site.refused for line in lines_of(one)):
        click.echo(line, err=True)
    click.echo(f"{site.path}: {len(site.shown)} submission(s), {site.path.stat().st_size / 1e6:.1f} MB")
    if site.refused:
        click.get_current_context().exit(EXIT_FINDINGS)
