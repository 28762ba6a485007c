"""Options that several commands share: each fills the field of a run's configuration that has its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from benchmark.config import TrackerName
from cocoad.base.commands import DIRECTORY, FILE, OVERWRITE, Command, renamed, split_option
from cocoad.coco.partition import SPLITS

RUN = click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))
RUNS = click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
LAYOUT = click.option("--layout", help="The dataset's layout.  [default: recognised]")
DATASET = click.option("--dataset", type=DIRECTORY, default=Path("coco-ad"), show_default=True)
COCO_ROOT = click.option(
    "--coco-root", type=DIRECTORY, help="Where COCO's images are.  [default: as at the build]"
)
TEST_SHARE = click.option(
    "--test-share", type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of the normal images, to test on where the dataset has no test set.  [default: 0.2]",
)  # fmt: skip
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto]")
IMAGE_SIZE = click.option(
    "--image-size", type=click.IntRange(min=32, max=4096), help="Pixels.  [default: the method's own]"
)
EVALUATION_SIZE = click.option(
    "--image-size", type=click.IntRange(16, 4096), default=256, show_default=True,
    help="Evaluation resolution of maps, in pixels.",
)  # fmt: skip
IMAGE_SCORES = click.option(
    "--scores", type=FILE, help="CSV of image scores: id, score.  [default: each map's maximum]"
)
WORKERS = click.option(
    "--workers", type=click.IntRange(min=0), help="Loader processes.  [default: by the cores]"
)
CACHE = click.option(
    "--cache", type=DIRECTORY, help="Folder of pixel caches.  [default: $COCOAD_CACHE or the user's]"
)
PRESET = click.option("--preset", type=click.Choice(["paper", "fast"]), help="The recipe: the paper's (longer on "
                      "MVTec AD), or ten epochs in bf16, which hold up on COCO-AD.  [default: paper]")  # fmt: skip
BACKBONE = click.option("--backbone", help="A timm model.  [default: the method's own]")
SET = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="recipe.NAME, options.NAME of the method, or any field of the configuration.",
)  # fmt: skip
COMPILE = click.option("--compile", is_flag=True, default=None, help="Compile the training step.")
OUT = click.option(
    "--out", type=DIRECTORY, default="runs", show_default=True, help="The folder of run directories."
)
PUBLISHED = click.option("--published", is_flag=True, help="Add the published COCO-AD rows, marked as such.")
PER_CLASS = click.option("--per-class", is_flag=True, help="One model per class, each a run of its own; the "
                         "leaderboard shows their mean.")  # fmt: skip
NO_FORCE = renamed("--force", "give --overwrite")
NO_RUN = renamed("--run", "the run's directory comes first, without it")

TRACKERS = get_args(TrackerName)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name for name in value.split(",") if name]


def _given(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


DATA = (
    LAYOUT,
    click.option("--classes", callback=_names, help="Some of the dataset's classes, as a,b.  [default: all]"),
    COCO_ROOT,
    TEST_SHARE,
)
RECIPE = (
    PRESET,
    click.option("--epochs", type=click.IntRange(min=0), help="Override the recipe's; 0: score the untrained network."),
    click.option("--batch-size", type=click.IntRange(min=1), help="Override the recipe's; over all processes."),
    click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Override the recipe's."),
    SET,
    IMAGE_SIZE,
    click.option("--score-size", type=click.IntRange(min=16, max=4096), help="Pixels at which maps and masks are "
                 "compared.  [default: the method's, else --image-size; 1024 with --tiles]"),
    click.option("--tiles", type=click.IntRange(min=32), metavar="PIXELS", help="Cut images into overlapping squares, "
                 "which the method sees one by one: for small defects on large images."),
    click.option("--tile-overlap", type=click.IntRange(min=0), metavar="PIXELS", help="[default: an eighth of "
                 "--tiles]"),
    BACKBONE,
    click.option("--calibration-share", type=click.FloatRange(0, 1, max_open=True), help="Of the training images, to "
                 "hold out and find thresholds with.  [default: 0]"),
    click.option("--weights", help="imagenet, offline, random or a file.  [default: imagenet]"),
)  # fmt: skip
TEST_SET = (
    click.option("--dataset", type=DIRECTORY, help="A dataset whose test set was scored."),
    COCO_ROOT,
    click.option(
        "--truth",
        type=click.Path(path_type=Path),
        help="Ground truth from `bench truth`, instead of a dataset.",
    ),
)
ENGINE = (
    DEVICE,
    COMPILE,
    WORKERS,
    click.option("--threads", type=click.IntRange(1, 4096), help="Of the processor.  [default: $OMP_NUM_THREADS, else "
                 "all, unless a training measures better beside other work]"),
    CACHE,
    click.option("--no-cache", "use_cache", flag_value=False, type=bool, default=None,
                 help="Decode images each time."),
    click.option("--save-maps", is_flag=True, default=None, help="Keep each anomaly map."),
    click.option("--evaluate-every", type=click.IntRange(min=0), metavar="EPOCHS", help="Look at the test set on the "
                 "way; the last epoch stays the result."),
    click.option("--log", multiple=True, type=click.Choice(TRACKERS), callback=_given, help="Tell a tracker: "
                 "configuration, curves, metrics, example maps, the record. May be repeated."),
    renamed("--tensorboard", "give --log tensorboard"),
    click.option("--checkpoint-every", "checkpoint_every_s", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="[default: 300]"),
    OUT,
    OVERWRITE,
    NO_FORCE,
)  # fmt: skip


def splits(default: str) -> Callable[[Command], Command]:
    """Make the option ``--split``, of COCO-AD's four or one's own; ``default`` is what the help says of it left out."""
    return split_option(SPLITS, default, others=True)


def data_options(command: Command) -> Command:
    """Add how a dataset is read."""
    return _with(command, DATA)


def scored_on(command: Command) -> Command:
    """Add what submissions are scored on: a dataset, or the ground truth of one."""
    return _with(command, TEST_SET)


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
