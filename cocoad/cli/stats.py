"""``cocoad stats``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, FILE, JSON
from cocoad.dataset.manifest import DEFAULT_DATASET

EXAMPLES = (
    "cocoad stats coco-ad",
    "cocoad stats coco-ad --coco-root ~/coco --figure stats.png --json",
)
PAGE = "docs/how-to/build.md"


@click.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option("--coco-root", type=DIRECTORY, help="Where the annotations are: they count the instances.")
@click.option("--val-annotations", type=FILE, help="Where that file is, if not under the COCO root.")
@click.option("--figure", type=FILE, help="Also draw a PNG.")
@JSON
def command(
    dataset: Path, coco_root: Path | None, val_annotations: Path | None, figure: Path | None, as_json: bool
) -> None:
    """Count a built DATASET's images, instances, anomalous pixels and sizes, by split and held-out category."""
    import msgspec

    from cocoad.base.console import path_line
    from cocoad.base.console import show as show_tables
    from cocoad.base.files import json_bytes
    from cocoad.show.stats import dataset_stats, tables, write_figure

    def note(what: str) -> None:
        click.echo(f"note: {path_line(what)}", err=True)

    found = dataset_stats(dataset, coco_root, val_annotations=val_annotations, note=note)
    if figure is not None:
        write_figure(found, figure)
    if as_json:
        click.echo(json_bytes(msgspec.to_builtins(found)), nl=False)
    else:
        show_tables(*tables(found))
