"""`bench dataset`: say which layout a dataset has and count its images."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import COCO_ROOT, LAYOUT, splits
from cocoad.base.commands import DIRECTORY, JSON, QUIET

EXAMPLES = ("bench dataset coco-ad --split all", "bench dataset ~/mvtec/bottle --json")
PAGE = "docs/how-to/datasets.md"


@click.command(name="dataset")
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@LAYOUT
@splits("0")
@COCO_ROOT
@JSON
@QUIET
def command(
    directory: Path,
    layout: str | None,
    splits: tuple[int, ...],
    coco_root: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read the dataset in DIR as a run would, the header of each image and all of each mask; count by class."""
    from benchmark.datasets import layout_of, load_dataset
    from benchmark.datasets.checks import check_files
    from benchmark.datasets.counts import counts, counts_text
    from cocoad.base.console import progress_callback
    from cocoad.base.files import json_bytes

    found = []
    for split in splits if layout_of(directory, layout).splits(directory) and splits else (0,):
        data = load_dataset(directory, layout=layout, split=split, coco_root=coco_root)
        with progress_callback(quiet) as advance:
            black = check_files(directory, data.train + data.test, advance)
        if black:
            click.echo(
                f"note: {len(black):,} masks of anomalous images are all black, {black[0]} first", err=True
            )
        found.append(counts(data))
        if not as_json:
            click.echo(counts_text(data, found[-1]))
    if as_json:
        click.echo(json_bytes(found[0] if len(found) == 1 else found), nl=False)
