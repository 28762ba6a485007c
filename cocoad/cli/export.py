"""``cocoad export``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE, DEFAULT_DATASET

EXAMPLES = (
    "cocoad export coco-ad --layout official --out ~/coco        # as the published code reads it",
    "cocoad export coco-ad --layout folder --out coco-folder # as MVTec AD is laid out",
    "cocoad export coco-ad --layout hub --out coco-ad-hub    # Parquet with a dataset card and Croissant",
)
PAGE = "docs/how-to/export.md"


@click.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option(
    "--layout",
    type=click.Choice(["official", "folder", "coco", "croissant", "hub", "ader"]),
    metavar="[official|folder|coco|croissant|hub]",
    required=True,
    help="official: meta_20_K.json and masks; folder: as MVTec AD; coco: instances_split_K.json; croissant, "
    "hub: Parquet tables with their description (extra hub).",
)
@click.option(
    "--out",
    type=DIRECTORY,
    required=True,
    help="Where to write (for official: the COCO root, or a folder to merge into it).",
)
@click.option(
    "--coco-root",
    type=DIRECTORY,
    help=f"For folder and coco: where COCO is [default: ${COCO_ROOT_VARIABLE}, else the build's hint].",
)
@click.option("--copy", is_flag=True, help="For folder: copy the images instead of linking to them.")
def command(dataset: Path, layout: str, out: Path, coco_root: Path | None, copy: bool) -> None:
    """Write a built DATASET in a layout that other programs read."""
    from cocoad.base.errors import InputError
    from cocoad.export import LAYOUTS

    if layout == "ader":
        raise InputError("--layout ader is called --layout official now")
    for path in LAYOUTS[layout](
        dataset, out, coco_root, copy, lambda what: click.echo(f"note: {what}", err=True)
    ):
        click.echo(path)
