"""`bench cache`: write, check or delete a dataset's pixel cache."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import CACHE, COCO_ROOT, IMAGE_SIZE, LAYOUT, WORKERS, splits
from benchmark.config import RunConfig
from cocoad.base.commands import DIRECTORY, QUIET

EXAMPLES = (
    "bench cache coco-ad                               # decode and resize once, for all runs",
    "bench cache coco-ad --split 0,2 --image-size 224",
    "bench cache coco-ad --check                       # or --clear",
)
PAGE = "docs/how-to/train.md"


@click.command(name="cache")
@click.argument("dataset", type=DIRECTORY, default=Path("coco-ad"))
@splits("all there are")
@LAYOUT
@COCO_ROOT
@IMAGE_SIZE
@WORKERS
@CACHE
@click.option("--check", is_flag=True, help="Compare what is there with its checksums and with the images.")
@click.option("--clear", is_flag=True, help="Delete it.")
@QUIET
def command(
    dataset: Path,
    splits: tuple[int, ...],
    layout: str | None,
    coco_root: Path | None,
    image_size: int | None,
    workers: int | None,
    cache: Path | None,
    check: bool,
    clear: bool,
    quiet: bool,
) -> None:
    """Decode and resize each image of DATASET once, for all splits, methods and seeds."""
    from benchmark.datasets.cache import cache_of
    from benchmark.datasets.caching import check_cache, clear_cache, dataset_images, fill_cache
    from benchmark.datasets.places import cache_home
    from cocoad.base.console import progress

    samples = dataset_images(dataset, splits, layout, coco_root)
    pixels = cache_of(dataset, samples, image_size or RunConfig.image_size, cache_home(cache))
    if clear:
        click.echo(clear_cache(pixels))
    elif check:
        click.echo(check_cache(pixels, samples))
    else:
        with progress(quiet) as bars:
            for line in fill_cache(pixels, samples, workers, bars):
                click.echo(line)
