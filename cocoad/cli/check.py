"""``cocoad check``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, FILE, JSON, QUIET
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE

EXAMPLES = (
    "cocoad check ~/coco",
    "cocoad check ~/coco --decode                      # also every pixel of every image",
    "cocoad check ~/tiles --own-categories --json      # another file in COCO's format",
)
PAGE = "docs/how-to/your-coco.md"


@click.command()
@click.argument("root", type=DIRECTORY, envvar=COCO_ROOT_VARIABLE)
@click.option("--train-annotations", type=FILE, help="This file, wherever it is.")
@click.option("--val-annotations", type=FILE, help="This file, wherever it is.")
@click.option("--train-images", type=DIRECTORY, help="Where train's images are, if not below ROOT.")
@click.option("--val-images", type=DIRECTORY, help="Where val's images are, if not below ROOT.")
@click.option(
    "--own-categories", is_flag=True, help="Take the files' own categories, as build --partition does."
)
@click.option("--decode", is_flag=True, help="Also decode every image.")
@JSON
@QUIET
def command(
    root: Path,
    train_annotations: Path | None,
    val_annotations: Path | None,
    train_images: Path | None,
    val_images: Path | None,
    own_categories: bool,
    decode: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say what the COCO at ROOT [default: $COCO_ROOT] is, and everything that is wrong with it.

    Each fault is taken (and how), repairable (and by what) or fatal. Nothing is written.
    """
    from cocoad.base.console import progress_callback
    from cocoad.base.files import json_bytes
    from cocoad.check import check
    from cocoad.check.display import print_report

    with progress_callback(quiet=quiet or as_json) as advance:
        report = check(
            root,
            train_annotations=train_annotations,
            val_annotations=val_annotations,
            train_images=train_images,
            val_images=val_images,
            own_categories=own_categories,
            decode=decode,
            advance=advance,
        )
    if as_json:
        click.echo(json_bytes(report.as_json()), nl=False)
    else:
        print_report(report, root)
    return report.exit_code
