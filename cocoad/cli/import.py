"""``cocoad import``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, OVERWRITE, QUIET
from cocoad.dataset.manifest import DEFAULT_DATASET

EXAMPLES = (
    "cocoad import ~/coco                              # meta_20_K.json beside COCO's images, into coco-ad/",
    "cocoad import downloaded --coco-root ~/coco --out coco-ad-official",
)
PAGE = "docs/how-to/export.md"


@click.command()
@click.argument("copy", type=DIRECTORY)
@click.option("--coco-root", type=DIRECTORY, help="Where COCO is.  [default: COPY]")
@click.option("--out", type=DIRECTORY, default=DEFAULT_DATASET, show_default=True, help="Where to write.")
@OVERWRITE
@QUIET
def command(copy: Path, coco_root: Path | None, out: Path, overwrite: bool, quiet: bool) -> None:
    """Make a built dataset of a COPY in the official layout (meta_20_K.json and masks).

    Its lists and masks are taken as they are; sizes and categories are those of COCO's annotations.
    """
    from cocoad.base.console import next_line, progress_callback
    from cocoad.build.imported import import_official

    with progress_callback(quiet=quiet) as advance:
        counts = import_official(copy, out, coco_root, overwrite=overwrite, advance=advance)
    for number, count in counts.items():
        click.echo(
            f"split {number}: {count.train_normal:,} to train on, {count.test_normal:,} normal and "
            f"{count.test_anomalous:,} anomalous to test on"
        )
    click.echo(next_line("cocoad", "verify", out))
