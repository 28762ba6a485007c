"""`bench run`: train and score a method on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import PER_CLASS, data_options, engine_options, recipe_options, splits
from cocoad.base.commands import DIRECTORY, FILE, QUIET

EXAMPLES = (
    "bench run --method invad                          # split 0 of coco-ad/, by the published recipe",
    "bench run --method invad --split all --preset fast",
    "bench run --method padim --dataset tiles --image-size 128 --weights offline --backbone tf_efficientnet_lite0",
    "bench run --method rd --dataset mvtec_ad --per-class  # one model per class",
    "bench run --method rd --set recipe.betas=[0.5,0.999] --seed 1",
    "bench run --config runs/rd_coco-ad_split-0_seed-42/config.yaml --seed 2",
)
PAGE = "docs/how-to/train.md"


@click.command(name="run")
@click.option("--method", help="One of those that `bench methods` lists.")
@click.option("--dataset", type=DIRECTORY, help="A dataset of any layout.  [default: coco-ad]")
@splits("0")
@data_options
@PER_CLASS
@click.option("--config", "file", type=FILE, help="Run what a run's config.yaml says; options override it.")
@recipe_options
@click.option("--checkpoint", type=FILE, help="Start from trained weights: a run's, or officially released.")
@click.option("--eval-only", is_flag=True, default=None, help="Score --checkpoint without training.")
@click.option("--name", help="Of the run's directory, in place of METHOD_DATASET.")
@click.option("--seed", type=int, help="[default: 42]")
@engine_options
@click.option("--resume", is_flag=True, hidden=True, help="What is done anyway: an interrupted run goes on.")
@QUIET
def command(
    splits: tuple[int, ...],
    file: Path | None,
    settings: tuple[str, ...],
    out: Path,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    per_class: bool,
    **options: Any,
) -> None:
    """Train and score a method; write one run directory per split (and class).

    Finished runs are skipped, interrupted ones go on; --overwrite starts anew.
    """
    from benchmark.training.request import configs, of_each_class, run_all, starting
    from cocoad.base.console import progress

    planned = configs(options, splits=splits, settings=settings, file=file)
    if per_class:
        planned = of_each_class(planned)
    if not quiet:  # loading torch takes longer than a person waits for a sign, a download much longer
        click.echo(starting(planned), err=True)
    for line in run_all(planned, out, overwrite=overwrite, bars=lambda: progress(quiet)):
        click.echo(line)
