"""``bench score``: score anomaly maps and image scores made by any code."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import DATASET, EVALUATION_SIZE, IMAGE_SCORES, NO_FORCE, OUT, data_options, splits
from cocoad.base.commands import DIRECTORY, OVERWRITE, one_split

EXAMPLES = (
    "bench score --maps my-maps --dataset tiles --name ours",
    "bench score --maps my-maps/split-2 --dataset coco-ad --split 2 --name ours",
    "bench score --scores scores.csv --dataset tiles --name ours",
)
PAGE = "docs/how-to/score-maps.md"


@click.command("score")
@click.option("--maps", "folder", type=DIRECTORY, help="Folder of maps.")
@IMAGE_SCORES
@DATASET
@splits("0")
@data_options
@click.option("--name", help="Of the method.  [default: the folder's or file's name]")
@OUT
@EVALUATION_SIZE
@OVERWRITE
@NO_FORCE
def command(
    folder: Path | None,
    scores: Path | None,
    dataset: Path,
    splits: tuple[int, ...],
    layout: str | None,
    classes: list[str] | None,
    coco_root: Path | None,
    test_share: float | None,
    name: str | None,
    out: Path,
    image_size: int,
    overwrite: bool,
) -> None:
    """Score anomaly maps made by any code, one per test image, into a run directory like any other.

    Maps are .npy, .npz, .tiff or .png files named by the image's id or path, of any resolution; with --scores the
    images' scores are your own, and --scores alone gives the image metrics only. If any map or score is missing,
    extra, unreadable or not finite, all such are listed and nothing is scored.
    """
    from benchmark.datasets import load_dataset
    from benchmark.scoring.score import UnusableMapsError, score_maps
    from cocoad.base.console import next_line

    split = one_split(splits)
    data = load_dataset(
        dataset, split=split, layout=layout, classes=classes or (), coco_root=coco_root, test_share=test_share
    )
    others = []
    if classes:
        whole = load_dataset(dataset, split=split, layout=layout, coco_root=coco_root, test_share=test_share)
        others = [sample.id for sample in whole.test]
    given = folder or scores
    named = name or (given.resolve().stem if given else "")
    try:
        directory = score_maps(folder, data, named, out, image_size, overwrite, scores=scores, others=others)
    except UnusableMapsError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise
    click.echo(f"scored {len(data.test)} {'maps' if folder else 'image scores'} into {directory}")
    for words in (("show", directory), ("leaderboard", out, "--published")):
        click.echo(next_line("bench", *words), err=True)
