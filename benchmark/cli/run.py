"""`bench run`: train and score a method on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="run")
@click.option("--method", help="One of those that `bench methods` lists.")
@click.option("--dataset", type=FOLDER, help="A dataset of any layout.  [default: coco-ad]")
@click.option("--split", "splits", help="0 … 3, several as 0,2, or all.  [default: 0]")
@click.option("--layout", help="The dataset's layout.  [default: recognised]")
@click.option("--classes", help="Some of the dataset's classes, as a,b.  [default: all]")
@click.option("--coco-root", type=FOLDER, help="Where COCO's images are.  [default: as at the build]")
@click.option("--config", "file", type=FILE, help="Run what a run's config.yaml says; options override it.")
@click.option("--preset", type=click.Choice(["paper", "fast"]), help="The recipe.  [default: paper]")
@click.option("--epochs", type=click.IntRange(min=1), help="Override the recipe's.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Override the recipe's; over all processes.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Override the recipe's.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="recipe.NAME, options.NAME of "
              "the method, or any field of the configuration.")  # fmt: skip
@click.option("--image-size", type=click.IntRange(min=32, max=4096), help="Pixels, square.  [default: 256]")
@click.option("--backbone", help="A timm model.  [default: the method's own]")
@click.option("--weights", help="imagenet, offline, random or a file.  [default: imagenet]")
@click.option("--checkpoint", type=FILE, help="Start from trained weights: a run's, or officially released.")
@click.option("--eval-only", is_flag=True, default=None, help="Score --checkpoint without training.")
@click.option("--seed", type=int, help="[default: 42]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto]")
@click.option("--compile", "compile_", is_flag=True, default=None, help="Compile the training step.")
@click.option("--workers", type=click.IntRange(min=0), help="Loader processes.  [default: by the cores]")
@click.option("--cache", type=FOLDER, help="Folder of pixel caches.  [default: $COCOAD_CACHE or the user's]")
@click.option("--no-cache", is_flag=True, help="Decode images each time.")
@click.option("--save-maps", is_flag=True, default=None, help="Keep each anomaly map.")
@click.option("--tensorboard", is_flag=True, default=None, help="Write curves for TensorBoard.")
@click.option("--checkpoint-every", type=click.FloatRange(min=0), metavar="SECONDS", help="[default: 300]")
@click.option("--out", type=FOLDER, default="runs", show_default=True, help="The folder of run directories.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of an interrupted run.")
@click.option("--force", is_flag=True, help="Run again what is finished.")
def command(
    splits: str | None,
    classes: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    compile_: bool | None,
    no_cache: bool,
    checkpoint_every: float | None,
    out: Path,
    resume: bool,
    force: bool,
    **options: Any,
) -> None:
    """Train and score a method; write one run directory per split. Finished runs are skipped."""
    from benchmark.training.request import configs, run_all
    from cocoad.console import progress

    options |= {"compile": compile_, "checkpoint_every_s": checkpoint_every}
    options["use_cache"] = False if no_cache else None
    options["classes"] = None if classes is None else [name for name in classes.split(",") if name]
    planned = configs(options, splits=splits, settings=settings, file=file)
    with progress() as bars:
        for line in run_all(planned, out, force=force, resume=resume, progress=bars):
            click.echo(line)
