"""`bench run`: train and score a method on a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.manifest import DEFAULT_DATASET

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="run")
@click.option("--method", required=True, help="invad, invad-lite, or one that another package offers.")
@click.option("--dataset", type=FOLDER, default=DEFAULT_DATASET, show_default=True)
@click.option("--split", default="0", show_default=True, help="0 … 3, several as 0,2, or all.")
@click.option("--layout", help="built or folder [default: recognised].")
@click.option("--classes", default="", help="Some of the dataset's classes, as a,b.")
@click.option("--coco-root", type=FOLDER, help="Where COCO's images are.")
@click.option("--preset", type=click.Choice(["paper", "fast"]), default="paper", show_default=True)
@click.option("--epochs", type=click.IntRange(min=1))
@click.option("--batch-size", type=click.IntRange(min=1))
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--image-size", type=click.IntRange(min=32, max=4096), default=256, show_default=True)
@click.option("--backbone", help="A timm model [default: the method's own].")
@click.option("--weights", default="imagenet", show_default=True, help="imagenet, offline, random or a file.")
@click.option("--seed", type=int, default=42, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(min=0), help="Loader processes.")
@click.option("--out", type=FOLDER, default="runs", show_default=True, help="The folder of run directories.")
@click.option("--force", is_flag=True, help="Run again what is finished.")
def command(
    method: str,
    dataset: Path,
    split: str,
    layout: str | None,
    classes: str,
    coco_root: Path | None,
    preset: str,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    image_size: int,
    backbone: str | None,
    weights: str,
    seed: int,
    device: str,
    workers: int | None,
    out: Path,
    force: bool,
) -> None:
    """Train and score a method; write one run directory per split."""
    from benchmark.training.request import configs, run_all
    from cocoad.console import progress

    overrides = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    planned = configs(
        split,
        preset=preset,
        recipe_overrides={key: value for key, value in overrides.items() if value is not None},
        method=method,
        dataset=dataset,
        layout=layout,
        classes=tuple(name for name in classes.split(",") if name),
        coco_root=coco_root,
        image_size=image_size,
        backbone=backbone,
        weights=weights,
        seed=seed,
        device=device,
        workers=workers,
    )
    with progress() as bars:
        for line in run_all(planned, out, force=force, progress=bars):
            click.echo(line)
