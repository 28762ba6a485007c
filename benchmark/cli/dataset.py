"""`bench dataset`: say which layout a dataset has and count its images."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="dataset")
@click.argument("dataset", metavar="DIR", type=FOLDER)
@click.option("--layout", help="The dataset's layout.  [default: recognised]")
@click.option("--split", type=click.IntRange(0, 3), default=0, show_default=True, help="Of COCO-AD.")
@click.option("--coco-root", type=FOLDER, help="Where COCO's images are.  [default: as at the build]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(dataset: Path, layout: str | None, split: int, coco_root: Path | None, as_json: bool) -> None:
    """Read the dataset in DIR as a run would, the header of each image and all of each mask; count by class."""
    from benchmark.datasets import load_dataset
    from benchmark.datasets.checks import check_files
    from benchmark.datasets.counts import COUNTS, counts
    from cocoad.base.console import progress_callback
    from cocoad.base.files import json_bytes

    data = load_dataset(dataset, layout=layout, split=split, coco_root=coco_root)
    with progress_callback() as advance:
        black = check_files(dataset, data.train + data.test, advance)
    if black:
        click.echo(
            f"note: {len(black):,} masks of anomalous images are all black, {black[0]} first", err=True
        )
    found = counts(data)
    if as_json:
        click.echo(json_bytes(found), nl=False)
        return
    which = "" if data.split is None else f", split {data.split}"
    click.echo(f"{data.name}: layout {data.layout}{which}")
    rows = [*found["classes"].items(), ("total", found["total"])]
    width = max(5, *(len(name) for name, _ in rows))
    click.echo("  ".join([f"{'class':<{width}}", *COUNTS]))
    for name, row in rows:
        click.echo("  ".join([f"{name:<{width}}", *(f"{row[count]:>{len(count)},}" for count in COUNTS)]))
