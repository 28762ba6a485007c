"""``bench score``: score anomaly maps made by any code."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("score")
@click.option("--maps", "folder", required=True, type=click.Path(path_type=Path), help="Folder of maps.")
@click.option("--dataset", type=click.Path(path_type=Path), default=Path("coco-ad"), show_default=True)
@click.option("--split", type=int, help="Of COCO-AD: 0 to 3.")
@click.option("--layout", help="The dataset's layout on disk.  [default: recognise it]")
@click.option(
    "--coco-root", type=click.Path(path_type=Path), help="Where the COCO images lie, if they moved."
)
@click.option("--name", help="Of the method.  [default: the folder's name]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--image-size", type=click.IntRange(16, 4096), default=256, show_default=True,
              help="Evaluation resolution in pixels.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a finished run of that name.")
def command(
    folder: Path,
    dataset: Path,
    split: int | None,
    layout: str | None,
    coco_root: Path | None,
    name: str | None,
    out: Path,
    image_size: int,
    overwrite: bool,
) -> None:
    """Score anomaly maps made by any code, one per test image, into a run directory like any other.

    Maps are .npy, .npz, .tiff or .png files named by the image's id or path, of any resolution. If any is
    missing, extra, unreadable or holds NaN, all such are listed and nothing is scored.
    """
    from benchmark.datasets import load_dataset
    from benchmark.scoring.score import UnusableMapsError, score_maps

    data = load_dataset(dataset, split=split, layout=layout, coco_root=coco_root)
    try:
        directory = score_maps(folder, data, name or folder.resolve().name, out, image_size, overwrite)
    except UnusableMapsError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise
    click.echo(f"scored {len(data.test)} maps into {directory}")
    click.echo(f"next: bench show --run {directory}; bench leaderboard {out} --published", err=True)
