"""`bench dataset import`: make a dataset of folders of photos."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import TEST_SHARE
from cocoad.base.commands import DIRECTORY, OVERWRITE

HELP = """Make a dataset of photos of good and of bad parts, in MVTec AD's folders, by links or copies.

    The folders below --bad are the kinds of defects. Masks are images by name, labelme's JSON files, or a JSON in
    COCO's format, as CVAT and Label Studio export it."""


@click.command(help=HELP)
@click.option("--good", type=DIRECTORY, required=True, help="Normal images, in folders of any depth.")
@click.option("--bad", type=DIRECTORY, help="Anomalous images, by kind of defect.")
@click.option("--masks", type=click.Path(path_type=Path), help="A folder of masks, or outlines.")
@click.option("--out", type=DIRECTORY, required=True, help="Where the dataset is made.")
@TEST_SHARE
@click.option("--copy", is_flag=True, help="Copy the images instead of linking them.")
@OVERWRITE
def import_command(
    good: Path,
    bad: Path | None,
    masks: Path | None,
    out: Path,
    test_share: float | None,
    copy: bool,
    overwrite: bool,
) -> None:
    """Import folders of photos."""
    from benchmark.datasets.importing import import_photos
    from cocoad.base.console import next_line

    found = import_photos(good, bad, masks, out, test_share=test_share, copy=copy, overwrite=overwrite)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    counts = dict(found.counts)
    masked = counts.pop("masks", 0)
    listed = ", ".join(f"{count:,} in {place}" for place, count in sorted(counts.items(), reverse=True))
    click.echo(f"{out}: {listed}; {masked:,} masks")
    click.echo(next_line("bench", "dataset", out), err=True)
