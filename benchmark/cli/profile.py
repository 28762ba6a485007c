"""`bench profile`: how fast a method is on this machine."""

from __future__ import annotations

from typing import Any

import click

from benchmark.cli.options import BACKBONE, CACHE, COMPILE, DEVICE, IMAGE_SIZE, PRESET, SET

EXAMPLES = (
    "bench profile --method invad",
    "bench profile --method rd --batch-size 8 --batch-size 32 --precision bf16-mixed --breakdown",
)
PAGE = "docs/how-to/train.md"


@click.command(name="profile")
@click.option("--method", required=True, help="One of those that `bench methods` lists.")
@PRESET
@click.option("--batch-size", "batch_sizes", type=click.IntRange(min=1), multiple=True, help="May be repeated.  "
              "[default: the recipe's]")  # fmt: skip
@click.option("--precision", "precisions", type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]), multiple=True,
              help="May be repeated.  [default: 32-true, and bf16-mixed where it is native]")  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=5.0, show_default=True, help="For each figure."
)
@IMAGE_SIZE
@BACKBONE
@DEVICE
@COMPILE
@SET
@click.option("--breakdown", is_flag=True, help="Say where a training step's time goes, too.")
@CACHE
def command(
    batch_sizes: tuple[int, ...],
    precisions: tuple[Any, ...],
    seconds: float,
    settings: tuple[str, ...],
    breakdown: bool,
    **options: Any,
) -> None:
    """Measure training and scoring on synthetic pixels; say how long the four splits would take."""
    from dataclasses import replace

    from benchmark.profiling.breakdown import breakdown_table
    from benchmark.profiling.profile import device_name, measured, parts_of_a_step, table, telling_precisions
    from benchmark.profiling.speeds import remember
    from benchmark.training.request import configs
    from benchmark.training.runner import settled
    from cocoad.base.console import show

    (config,) = configs(options, settings=settings)
    config = settled(config)
    recipes = [
        replace(config.recipe, precision=precision, batch_size=size)
        for precision in precisions or telling_precisions(config)
        for size in batch_sizes or (config.recipe.batch_size,)
    ]
    speeds = [measured(replace(config, recipe=recipe), seconds) for recipe in recipes]
    remember(config, speeds, device_name(config.device))
    show(table(config, speeds))
    if breakdown:
        for recipe, speed in zip(recipes, speeds, strict=True):
            if speed.train_images_per_s is not None:
                found = parts_of_a_step(replace(config, recipe=recipe))
                show(breakdown_table(f"{recipe.precision}, batch {recipe.batch_size}", found))
