"""``cocoad build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cocoad.base.commands import DIRECTORY, FILE, JSON, QUIET, renamed, split_option
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE, DEFAULT_DATASET

if TYPE_CHECKING:
    from cocoad.coco.outlines import Rasterizer

EXAMPLES = (
    "cocoad build --coco-root ~/coco --dry-run         # what would be built",
    "cocoad build --coco-root ~/coco                   # all four splits into coco-ad/",
    "cocoad build --coco-root ~/coco --split 0,2 --out two-splits --json",
)
PAGE = "docs/how-to/build.md"


@click.command()
@click.option(
    "--coco-root",
    type=DIRECTORY,
    required=True,
    envvar=COCO_ROOT_VARIABLE,
    show_envvar=True,
    help="Where annotations/, train2017/ and val2017/ lie.",
)
@click.option(
    "--out", type=DIRECTORY, default=DEFAULT_DATASET, show_default=True, help="The dataset to make."
)
@split_option(None, "all")
@click.option(
    "--rasterizer",
    type=click.Choice(["ader", "coco"]),
    default="ader",
    show_default=True,
    help="How outlines become masks: as the published benchmark does, or as COCO does.",
)
@click.option(
    "--unannotated",
    type=click.Choice(["exclude", "normal"]),
    default="exclude",
    show_default=True,
    help="What becomes of images without any annotation.",
)
@click.option(
    "--crowd",
    type=click.Choice(["include", "exclude"]),
    default="include",
    show_default=True,
    help="Whether crowd annotations count.",
)
@click.option("--train-annotations", type=FILE, help="Instead of annotations/instances_train2017.json.")
@click.option("--val-annotations", type=FILE, help="Instead of annotations/instances_val2017.json.")
@click.option("--train-images", type=DIRECTORY, help="Where train's images are, if not below the root.")
@click.option("--val-images", type=DIRECTORY, help="Where val's images are, if not below the root.")
@click.option(
    "--partition", type=FILE, help="A partition of your own: its splits, by the files' own categories."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes.  [default: processors, at most 4]")
@click.option("--allow-missing-images", is_flag=True, help="Build although images are not there.")
@click.option(
    "--hash-images", is_flag=True, help="Record every image's SHA-256, so that `verify` finds changed ones."
)
@click.option("--overwrite", is_flag=True, help="Replace a dataset that was built before.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@renamed("--force", "give --overwrite")
@JSON
@QUIET
def command(
    coco_root: Path,
    out: Path,
    splits: tuple[int, ...],
    rasterizer: Rasterizer,
    unannotated: Literal["exclude", "normal"],
    crowd: Literal["include", "exclude"],
    train_annotations: Path | None,
    val_annotations: Path | None,
    train_images: Path | None,
    val_images: Path | None,
    partition: Path | None,
    jobs: int | None,
    allow_missing_images: bool,
    hash_images: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn COCO 2017 into COCO-AD: four class partitions with pixel masks.

    No image is copied, and with --hash-images alone is any read. The dataset appears whole or not at all.
    """
    import msgspec

    from cocoad.base.console import progress_callback
    from cocoad.base.files import json_bytes
    from cocoad.build.builder import build_dataset
    from cocoad.build.report import describe
    from cocoad.dataset.manifest import BuildOptions

    options = BuildOptions(rasterizer, unannotated, crowd, allow_missing_images)
    with progress_callback(quiet=quiet or as_json) as advance:
        report = build_dataset(
            coco_root,
            out,
            splits=sorted(set(splits)) or None,
            options=options,
            jobs=jobs,
            train_annotations=train_annotations,
            val_annotations=val_annotations,
            train_images=train_images,
            val_images=val_images,
            partition=partition,
            hash_images=hash_images,
            overwrite=overwrite,
            dry_run=dry_run,
            advance=advance,
        )
    if as_json:
        click.echo(json_bytes(msgspec.to_builtins(report)), nl=False)
    else:
        click.echo(describe(report))
