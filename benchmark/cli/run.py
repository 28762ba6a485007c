"""`bench run`: train and score a method on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import FILE, FOLDER, data_options, engine_options, recipe_options


@click.command(name="run")
@click.option("--method", help="One of those that `bench methods` lists.")
@click.option("--dataset", type=FOLDER, help="A dataset of any layout.  [default: coco-ad]")
@click.option("--split", "splits", help="0 … 3, several as 0,2, or all.  [default: 0]")
@data_options
@click.option("--config", "file", type=FILE, help="Run what a run's config.yaml says; options override it.")
@recipe_options
@click.option("--checkpoint", type=FILE, help="Start from trained weights: a run's, or officially released.")
@click.option("--eval-only", is_flag=True, default=None, help="Score --checkpoint without training.")
@click.option("--seed", type=int, help="[default: 42]")
@engine_options
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of an interrupted run.")
def command(
    splits: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    out: Path,
    resume: bool,
    force: bool,
    **options: Any,
) -> None:
    """Train and score a method; write one run directory per split. Finished runs are skipped."""
    from benchmark.training.request import configs, run_all
    from cocoad.base.console import progress

    planned = configs(options, splits=splits, settings=settings, file=file)
    with progress() as bars:
        for line in run_all(planned, out, force=force, resume=resume, progress=bars):
            click.echo(line)
