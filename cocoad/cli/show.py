"""``cocoad show``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, FILE, one_split, split_option
from cocoad.coco.partition import SPLITS
from cocoad.dataset.manifest import DEFAULT_DATASET

EXAMPLES = (
    "cocoad show coco-ad --out sheet.png",
    "cocoad show coco-ad --split 2 --category cat --count 12 --columns 4",
)
PAGE = "docs/how-to/build.md"


@click.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@split_option(SPLITS, "0")
@click.option("--out", type=FILE, default="sheet.png", show_default=True, help="The PNG to write.")
@click.option("--coco-root", type=DIRECTORY, help="Where COCO's images are.")
@click.option("--count", type=click.IntRange(1, 400), default=24, show_default=True, help="Images at most.")
@click.option("--columns", type=click.IntRange(1, 40), default=6, show_default=True)
@click.option("--category", help="Only images that show this held-out category.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the choice of images."
)
def command(
    dataset: Path,
    splits: tuple[int, ...],
    out: Path,
    coco_root: Path | None,
    count: int,
    columns: int,
    category: str | None,
    seed: int,
) -> None:
    """Draw a contact sheet of DATASET: anomalous images with the mask outlined and the categories named."""
    from cocoad.base.console import path_line
    from cocoad.show.contact_sheet import write_contact_sheet

    split = one_split(splits)
    choice = {"count": count, "columns": columns, "seed": seed}
    shown = write_contact_sheet(dataset, split, out, coco_root=coco_root, category=category, **choice)
    click.echo(f"{path_line(str(out))}: {shown} images of split {split}")
