"""``bench predict``: apply a trained run to images of your own."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmark.cli.options import DEVICE, NO_RUN, WORKERS
from cocoad.base.commands import DIRECTORY, FILE, QUIET

EXAMPLES = (
    "bench predict runs/invad-lite_tiles_seed-42 photo.jpg --out predictions",
    "bench predict runs/invad-lite_tiles_seed-42 photos 'more/**/*.png' --out predictions --threshold fpr=0.05",
    "bench predict --onnx model.onnx line1.mp4 --every 25 --out predictions",
)
PAGE = "docs/how-to/predict.md"


@click.command("predict")
@click.argument("sources", metavar="[RUN] IMAGES...", nargs=-1, required=True)
@click.option("--onnx", type=FILE, help="An exported file, in place of RUN; needs no torch.")
@click.option("--out", required=True, type=DIRECTORY, help="Folder to write into.")
@click.option(
    "--threshold", help="Of images: a number, fpr=RATE or f1.  [default: the run's fpr=0.01, else f1]"
)
@click.option(
    "--pixel-threshold", help="Of pixels, for masks and regions.  [default: the run's f1, else fpr=0.01]"
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Of a video: of so many frames the first.",
)
@click.option("--check", is_flag=True, help="End with exit code 1 where an image is anomalous.")
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True)
@DEVICE
@WORKERS
@QUIET
@NO_RUN
def command(
    sources: tuple[str, ...],
    onnx: Path | None,
    out: Path,
    threshold: str | None,
    pixel_threshold: str | None,
    every: int,
    check: bool,
    batch_size: int,
    device: str | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Apply the trained run in RUN to IMAGES: files, folders, quoted globs or videos; say which are anomalous.

    For each image OUT gets a heatmap over it (.png), the raw anomaly map (.npy) and a mask; predictions.json and
    predictions.csv list scores, decisions and regions. Prints them, most anomalous first. Exit code 1: some images
    could not be read, or with --check an image is anomalous.
    """
    from benchmark.inference.model import Model
    from benchmark.inference.places import JSON_FILE
    from benchmark.inference.predict import predict_files
    from benchmark.inference.sources import find_images
    from cocoad.base.console import progress
    from cocoad.base.errors import EXIT_FINDINGS, InputError

    started = time.monotonic()
    run, images = (None, sources) if onnx else (sources[0], sources[1:])
    if not images:
        raise InputError("which images? give files, folders or quoted globs after RUN")
    files = find_images(images, out)
    model: Model
    if onnx:
        from benchmark.inference.exported import load_onnx

        model = load_onnx(onnx)
    else:
        from benchmark.inference.trained import load_run

        model = load_run(str(run), device or "auto")
    decider = model.decider(threshold, pixel_threshold)
    with progress(quiet) as bar:
        task = bar.add_task("predicting", total=len(files))
        found = predict_files(
            model,
            files,
            out,
            batch_size,
            lambda count: bar.advance(task, count),
            decider=decider,
            workers=workers,
            every=every,
        )
    for outcome in sorted(found.outcomes, key=lambda one: -one.score):
        click.echo(outcome.line)
    for line in found.unreadable:
        click.echo(f"warning: {line}", err=True)
    click.echo(
        f"{found.summary}; in {time.monotonic() - started:.1f} s; all of it: {out / JSON_FILE}", err=True
    )
    if found.unreadable or (check and any(outcome.anomalous for outcome in found.outcomes)):
        click.get_current_context().exit(EXIT_FINDINGS)
