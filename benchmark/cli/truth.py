"""``bench truth``: write the ground truth that submissions are verified with."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import DATASET, EVALUATION_SIZE, data_options, splits
from cocoad.base.commands import DIRECTORY

EXAMPLES = ("bench truth --dataset coco-ad --out truth",)
PAGE = "docs/how-to/host-a-leaderboard.md"


@click.command("truth")
@DATASET
@splits("all")
@data_options
@EVALUATION_SIZE
@click.option("--out", type=DIRECTORY, required=True, help="Folder to write to.")
def command(
    dataset: Path,
    splits: tuple[int, ...],
    layout: str | None,
    classes: list[str] | None,
    coco_root: Path | None,
    test_share: float | None,
    image_size: int,
    out: Path,
) -> None:
    """Write a test set's masks and labels to one small file a split, so that others can be verified without it."""
    from benchmark.datasets import layout_of, load_dataset
    from benchmark.submissions.format import prefix_of
    from benchmark.submissions.truth import SUFFIX, Truth

    wanted: list[int | None] = list(splits or layout_of(dataset, layout).splits(dataset)) or [None]
    for split in wanted:
        data = load_dataset(
            dataset,
            split=split,
            layout=layout,
            classes=classes or (),
            coco_root=coco_root,
            test_share=test_share,
        )
        truth = Truth.of(data, image_size)
        path = out / f"{prefix_of(truth.dataset)}{SUFFIX}"
        truth.write(path)
        click.echo(f"{path}: {truth.title}, {len(truth.images)} images, {path.stat().st_size / 1e6:.1f} MB")
