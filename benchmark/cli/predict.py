"""``bench predict``: apply a trained run to images of your own."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmark.cli.options import DEVICE, NO_RUN, RUN
from cocoad.base.commands import DIRECTORY, QUIET

EXAMPLES = (
    "bench predict runs/invad-lite_tiles_seed-42 photo.jpg --out predictions",
    "bench predict runs/invad-lite_tiles_seed-42 photos 'more/**/*.png' --out predictions --device cpu",
)
PAGE = "docs/how-to/predict.md"


@click.command("predict")
@RUN
@click.argument("images", nargs=-1, required=True)
@click.option("--out", required=True, type=DIRECTORY, help="Folder to write into.")
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True)
@DEVICE
@QUIET
@NO_RUN
def command(
    directory: Path, images: tuple[str, ...], out: Path, batch_size: int, device: str | None, quiet: bool
) -> None:
    """Apply the trained run in RUN to IMAGES: files, folders or quoted globs.

    For each image OUT gets a heatmap over it (.png) and the raw anomaly map (.npy); predictions.json lists
    the scores. Prints score and image, most anomalous first. Exit code 1: some images could not be read.
    """
    from benchmark.inference.predict import JSON_FILE, find_images, predict_files
    from benchmark.inference.trained import load_run
    from cocoad.base.console import progress
    from cocoad.base.errors import EXIT_FINDINGS

    started = time.monotonic()
    files = find_images(images, out)
    model = load_run(directory, device or "auto")
    with progress(quiet) as bar:
        task = bar.add_task("predicting", total=len(files))
        outcomes, unreadable = predict_files(
            model, files, out, batch_size, lambda count: bar.advance(task, count)
        )
    for outcome in sorted(outcomes, key=lambda one: -one.score):
        click.echo(f"{outcome.score:.6f}\t{outcome.image}")
    for line in unreadable:
        click.echo(f"warning: {line}", err=True)
    seconds = time.monotonic() - started
    click.echo(f"{len(outcomes)} images in {seconds:.1f} s; maps and scores: {out / JSON_FILE}", err=True)
    if unreadable:
        click.get_current_context().exit(EXIT_FINDINGS)
