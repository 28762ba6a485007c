"""Options that several commands share: each fills the field of a run's configuration that has its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name for name in value.split(",") if name]


DATA = (
    click.option("--layout", help="The dataset's layout.  [default: recognised]"),
    click.option("--classes", callback=_names, help="Some of the dataset's classes, as a,b.  [default: all]"),
    click.option("--coco-root", type=FOLDER, help="Where COCO's images are.  [default: as at the build]"),
)
RECIPE = (
    click.option("--preset", type=click.Choice(["paper", "fast"]), help="The recipe.  [default: paper]"),
    click.option("--epochs", type=click.IntRange(min=0), help="Override the recipe's; 0: score the untrained network."),
    click.option("--batch-size", type=click.IntRange(min=1), help="Override the recipe's; over all processes."),
    click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Override the recipe's."),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="recipe.NAME, options.NAME of "
                 "the method, or any field of the configuration."),
    click.option("--image-size", type=click.IntRange(min=32, max=4096), help="Pixels, square.  [default: 256]"),
    click.option("--backbone", help="A timm model.  [default: the method's own]"),
    click.option("--weights", help="imagenet, offline, random or a file.  [default: imagenet]"),
)  # fmt: skip
ENGINE = (
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto]"),
    click.option("--compile", is_flag=True, default=None, help="Compile the training step."),
    click.option("--workers", type=click.IntRange(min=0), help="Loader processes.  [default: by the cores]"),
    click.option("--cache", type=FOLDER, help="Folder of pixel caches.  [default: $COCOAD_CACHE or the user's]"),
    click.option("--no-cache", "use_cache", flag_value=False, type=bool, default=None,
                 help="Decode images each time."),
    click.option("--save-maps", is_flag=True, default=None, help="Keep each anomaly map."),
    click.option("--tensorboard", is_flag=True, default=None, help="Write curves for TensorBoard."),
    click.option("--checkpoint-every", "checkpoint_every_s", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="[default: 300]"),
    click.option("--out", type=FOLDER, default="runs", show_default=True, help="The folder of run directories."),
    click.option("--force", is_flag=True, help="Run again what is finished."),
)  # fmt: skip


def data_options(command: Command) -> Command:
    """Add how a dataset is read."""
    return _with(command, DATA)


def recipe_options(command: Command) -> Command:
    """Add how a method is built and trained."""
    return _with(command, RECIPE)


def engine_options(command: Command) -> Command:
    """Add where and how runs take place and what they leave."""
    return _with(command, ENGINE)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
