"""``cocoad sample``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, QUIET

EXAMPLES = (
    "cocoad sample mini-coco                           # 240 + 120 images, a second or two",
    "cocoad sample mini-coco --train 40 --val 20 --size 128 --seed 3",
)
PAGE = "docs/how-to/build.md"


@click.command()
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--train", type=click.IntRange(1, 1_000_000), help="Images.  [default: 240; 118,287 without pixels]"
)
@click.option(
    "--val", type=click.IntRange(1, 1_000_000), help="Images.  [default: 120; 5,000 without pixels]"
)
@click.option("--size", type=click.IntRange(64, 2048), default=256, show_default=True, help="Pixels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--annotations-only", is_flag=True, help="Write annotation files of COCO's full size, no images."
)
@QUIET
def command(
    directory: Path,
    train: int | None,
    val: int | None,
    size: int,
    seed: int,
    annotations_only: bool,
    quiet: bool,
) -> None:
    """Draw a small, licence-free COCO into DIRECTORY, to try things out."""
    from cocoad.base.console import next_line, path_line, progress_callback
    from cocoad.sample import draw_annotations, draw_sample

    counts = {name: count for name, count in (("train", train), ("val", val)) if count is not None}
    build_it = ("cocoad", "build", "--coco-root", directory)
    if annotations_only:
        draw_annotations(directory, **counts, seed=seed)
        click.echo("wrote annotations")
        click.echo(next_line(*build_it, "--allow-missing-images"))
        return
    with progress_callback(quiet) as advance:
        draw_sample(directory, **counts, size=size, seed=seed, advance=advance)
    click.echo(f"drew a COCO in {path_line(str(directory))}")
    click.echo(next_line(*build_it))
