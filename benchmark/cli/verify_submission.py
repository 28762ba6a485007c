"""``bench verify-submission``: score submissions again and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import scored_on
from cocoad.base.commands import DIRECTORY
from cocoad.base.errors import EXIT_FINDINGS

EXAMPLES = (
    "bench verify-submission submission/invad --dataset coco-ad",
    "bench verify-submission results/* --truth truth --beside results --max-mb 12 --new --json",
)
PAGE = "docs/how-to/submit.md"


@click.command("verify-submission")
@click.argument("folders", nargs=-1, required=True, type=DIRECTORY)
@scored_on
@click.option("--beside", type=DIRECTORY, help="Folder of other submissions, to find copied maps.")
@click.option(
    "--max-mb", type=click.FloatRange(min=0, min_open=True), help="Refuse larger files.  [default: 1024]"
)
@click.option("--new", is_flag=True, help="Refuse what only a leaderboard's keeper may add.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    folders: tuple[Path, ...],
    dataset: Path | None,
    coco_root: Path | None,
    truth: Path | None,
    beside: Path | None,
    max_mb: float | None,
    new: bool,
    as_json: bool,
) -> None:
    """Verify the submissions in FOLDERS: files, images, decoding, and every metric computed again from the maps.

    Exits with 0 when nothing is wrong, 1 when something is, 2 when it could not be checked.
    """
    from benchmark.submissions.render import as_plain, lines_of
    from benchmark.submissions.verify import LARGEST, prints_beside, truths_for, verify
    from cocoad.base.files import json_bytes

    truths = truths_for(folders, truth, dataset, coco_root)
    others = {} if beside is None else prints_beside(beside, folders)
    most = LARGEST if max_mb is None else int(max_mb * 1e6)
    found = [verify(folder, truths, others, most, new) for folder in folders]
    if as_json:
        click.echo(json_bytes([as_plain(one) for one in found]).decode(), nl=False)
    else:
        for line in (line for one in found for line in lines_of(one)):
            click.echo(line)
    if any(one.findings for one in found):
        click.get_current_context().exit(EXIT_FINDINGS)
