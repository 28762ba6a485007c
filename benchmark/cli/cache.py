"""`bench cache`: write, check or delete a dataset's pixel cache."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="cache")
@click.argument("dataset", type=FOLDER, default=Path("coco-ad"))
@click.option("--split", "splits", help="0 … 3, several as 0,2, or all.  [default: all there are]")
@click.option("--layout", help="The dataset's layout.  [default: recognised]")
@click.option("--coco-root", type=FOLDER, help="Where COCO's images are.  [default: as at the build]")
@click.option("--image-size", type=click.IntRange(min=32, max=4096), default=256, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), help="Decoding processes.  [default: by the cores]")
@click.option("--cache", type=FOLDER, help="Folder of pixel caches.  [default: $COCOAD_CACHE or the user's]")
@click.option("--check", is_flag=True, help="Compare what is there with its checksums and with the images.")
@click.option("--clear", is_flag=True, help="Delete it.")
def command(
    dataset: Path,
    splits: str | None,
    layout: str | None,
    coco_root: Path | None,
    image_size: int,
    workers: int | None,
    cache: Path | None,
    check: bool,
    clear: bool,
) -> None:
    """Decode and resize each image of DATASET once, for all splits, methods and seeds."""
    from benchmark.datasets.cache import cache_of
    from benchmark.datasets.caching import check_cache, clear_cache, dataset_images, fill_cache
    from benchmark.datasets.places import cache_home
    from cocoad.base.console import progress

    samples = dataset_images(dataset, splits, layout, coco_root)
    pixels = cache_of(dataset, samples, image_size, cache_home(cache))
    if clear:
        click.echo(clear_cache(pixels))
    elif check:
        click.echo(check_cache(pixels, samples))
    else:
        with progress() as bars:
            for line in fill_cache(pixels, samples, workers, bars):
                click.echo(line)
