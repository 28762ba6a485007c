"""The plan of a sweep: which runs there are, how far each one is, and how long the rest would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from benchmark.config import RunConfig, Settings
from benchmark.datasets import load_dataset, splits_meant
from benchmark.methods.registry import facts_of
from benchmark.profiling.speeds import known_speed
from benchmark.runs.collect import run_state
from benchmark.runs.files import checkpoints
from benchmark.runs.identity import check_finished, check_interrupted, resolved, run_directory
from benchmark.runs.record import RESULT_FILE, read_status
from benchmark.sweep.request import MethodSettings, Request
from benchmark.training.request import configured
from cocoad.base.console import plain_table, show
from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType

State = Literal["finished", "running", "to resume", "failed before", "to do"]
STYLES = {"finished": "green", "running": "cyan", "to resume": "yellow", "failed before": "red", "to do": ""}
BY_DEVICE = ("device", "recipe.precision")  # what `--device auto` decides where a run takes place


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep: ``config`` as asked for (its device not yet decided), ``hours`` expected from now on."""

    config: RunConfig
    directory: Path
    state: State
    detail: str  # at which epoch, why it failed
    resume: bool  # go on from its checkpoints
    hours: float | None  # None: no speed is remembered

    @property
    def to_start(self) -> bool:
        """Whether there is anything to do, and nobody doing it."""
        return self.state not in ("finished", "running")


class _Facts(NamedTuple):
    """What planning needs to know of a dataset."""

    name: str
    split: int | None
    hash: str
    train: int
    test: int
    classes: tuple[str, ...]


def plan(asked: Request, out: Path, *, overwrite: bool = False, elsewhere: bool = False) -> list[PlannedRun]:
    """Return the runs of a sweep, seed by seed, so that the methods can be compared as early as may be.

    Args:
        asked: the grid.
        out: the folder of run directories.
        overwrite: run again what is finished.
        elsewhere: the runs will not take place on this machine, so that its devices say nothing about them.

    Raises:
        InputError: no such method, option or dataset, two runs for one directory, or a finished run of
            another configuration or dataset in a directory that is needed.
    """
    entries = [(entry, _config(entry)) for entry in asked.entries]
    known: dict[Any, _Facts] = {}
    owners: dict[Path, tuple[MethodSettings, Path]] = {}
    runs = []
    parts = [
        (dataset, split)
        for dataset in asked.datasets
        for split in splits_meant(dataset, entries[0][1].layout, asked.splits)
    ]
    for seed, (dataset, split), (entry, config) in product(asked.seeds, parts, entries):
        config = replace(config, dataset=dataset, split=split, seed=seed)
        for one in _of_each_class(config, known) if asked.per_class else [config]:
            facts = _facts(one, known)
            one = replace(one, split=facts.split)
            directory = run_directory(one, facts.name, out / entry.name if entry.name else out)
            if directory not in owners:
                owners[directory] = entry, dataset
                runs.append(_planned(one, directory, facts, overwrite, elsewhere))
            elif owners[directory] != (entry, dataset):  # else: a dataset without splits, asked for some
                raise InputError(
                    f"two runs of the plan would write {directory}: give methods that come twice a name each in a "
                    "plan file; sweep datasets with the same folder name one by one, with an --out each"
                )
    return runs


def _of_each_class(config: RunConfig, known: dict[Any, _Facts]) -> list[RunConfig]:
    return [replace(config, classes=(name,)) for name in _facts(config, known).classes]


def _config(entry: MethodSettings) -> RunConfig:
    try:
        (config,) = configured(Settings({"method": entry.method}).over(entry.settings))
    except InputError as error:
        raise InputError(f"{entry.where}: {error}") from None
    return config


def _facts(config: RunConfig, known: dict[Any, _Facts]) -> _Facts:
    key = (config.dataset, config.layout, config.split, config.classes, config.coco_root, config.test_share)
    if key not in known:
        path, layout, split, classes, coco_root, share = key
        found = load_dataset(
            path, layout=layout, split=split, classes=classes, coco_root=coco_root, test_share=share
        )
        known[key] = _Facts(
            found.name, found.split, found.hash, len(found.train), len(found.test), found.classes
        )
    return known[key]


def _planned(
    config: RunConfig, directory: Path, facts: _Facts, overwrite: bool, elsewhere: bool
) -> PlannedRun:
    method = facts_of(config.method)
    here = resolved(config, method)
    whole = _hours(here, facts)
    status = read_status(directory)
    if status is None and not (directory / RESULT_FILE).is_file():
        return PlannedRun(config, directory, "to do", "", False, whole)
    found = run_state(directory)
    if found.state == "running":
        return PlannedRun(config, directory, "running", found.detail, False, None)
    if overwrite:
        return PlannedRun(config, directory, "to do", "again", False, whole)
    if found.state == "finished" and found.record:
        ignored = _ignored(here, elsewhere)
        check_finished(directory, found.record, here, method, facts.hash, ignored)
        return PlannedRun(config, directory, "finished", found.detail, False, 0.0)
    if found.state == "invalid":
        raise InputError(f"{found.detail}: give --overwrite, or another --out")
    resume = method.resumes and bool(checkpoints(directory))
    if resume:
        check_interrupted(directory, here, _ignored(here, elsewhere))
    share = status.epoch / status.epochs if resume and status and status.epochs else 0.0
    hours = None if whole is None else _hours(here, facts, left=1 - share)
    if found.state == "failed":
        return PlannedRun(config, directory, "failed before", found.detail, resume, hours)
    if not resume:
        return PlannedRun(config, directory, "to do", f"interrupted {found.detail}", False, whole)
    return PlannedRun(config, directory, "to resume", found.detail, True, hours)


def _ignored(here: RunConfig, elsewhere: bool) -> Sequence[str]:
    """Return the fields in which a run on another device may differ, where any device will do."""
    return BY_DEVICE if here.device == "auto" or elsewhere else ()


def _hours(config: RunConfig, facts: _Facts, left: float = 1.0) -> float | None:
    """Return the hours of training and scoring at the remembered speed; ``left`` is the share of epochs to go."""
    speed = known_speed(config)
    if speed is None or not speed.train_images_per_s or not speed.test_images_per_s:
        return None
    images = facts_of(config.method).images_seen(config.recipe, facts.train)
    seconds = images * left / speed.train_images_per_s + facts.test / speed.test_images_per_s
    return seconds / 3600


def profile_command(config: RunConfig) -> str:
    """Return the command that measures the speed this run's hours would be computed from."""
    facts = facts_of(config.method)
    default = facts.presets["paper"]
    words = ["bench profile --method", config.method]
    if config.preset != "paper":
        words += ["--preset", config.preset]
    if config.recipe.batch_size != default.batch_size:
        words += ["--batch-size", str(config.recipe.batch_size)]
    if config.image_size != facts.image_size:
        words += ["--image-size", str(config.image_size)]
    for name, value in (("--backbone", config.backbone), ("--cache", config.cache)):
        words += [name, str(value)] if value else []
    if config.device != "auto":
        words += ["--device", config.device]
    return " ".join(words)


def total_hours(runs: Sequence[PlannedRun]) -> tuple[float, int]:
    """Return the expected hours of all that is to be started, and the number of runs for which none are known."""
    hours = [run.hours for run in runs if run.to_start]
    return sum(known for known in hours if known is not None), hours.count(None)


def unknown_speeds(runs: Sequence[PlannedRun]) -> list[str]:
    """Return the commands that would make the unknown hours known, each once."""
    return list(
        dict.fromkeys(
            profile_command(run.config)
            for run in runs
            if run.to_start and run.hours is None and facts_of(run.config.method).has_steps
        )
    )


def to_json(runs: Sequence[PlannedRun]) -> dict[str, Any]:
    """Return the plan for programs."""
    hours, unknown = total_hours(runs)
    rows = [
        {
            "run": str(run.directory),
            "method": run.config.method,
            "dataset": str(run.config.dataset),
            "split": run.config.split,
            "seed": run.config.seed,
            "state": run.state,
            "detail": run.detail,
            "expected_hours": run.hours,
        }
        for run in runs
    ]
    return {
        "runs": rows,
        "expected_hours": hours,
        "runs_of_unknown_hours": unknown,
        "to_know_them": unknown_speeds(runs),
    }


def table(runs: Sequence[PlannedRun]) -> RenderableType:
    """Return the plan for people: runs, states and expected hours, and their sum."""
    from rich.text import Text

    shown = plain_table(show_footer=True)
    hours, unknown = total_hours(runs)
    to_go = sum(run.to_start for run in runs)
    total = hours_text(hours) if unknown < to_go else ""
    more = f"{total}{' + ' if total else ''}{unknown} unknown" if unknown else total
    shown.add_column("Run", f"{len(runs)} run{'s' if len(runs) != 1 else ''}")
    shown.add_column("State", f"{to_go} to go", min_width=16)
    shown.add_column("Expected hours", more, justify="right")
    for run in runs:
        state = Text(f"{run.state} {run.detail}".strip(), STYLES[run.state])
        cell = hours_text(run.hours) if run.hours is not None else "unknown" if run.to_start else "–"
        shown.add_row(Text(str(run.directory)), state, "–" if run.state == "finished" else cell)
    return shown


def hours_text(hours: float) -> str:
    """Return hours to two digits behind the point, so that little is not shown as nothing."""
    return "< 0.01" if 0 < hours < 0.005 else f"{hours:,.2f}"


def show_plan(runs: Sequence[PlannedRun], as_json: bool) -> None:
    """Print the plan on stdout, for people or for programs."""
    if as_json:
        click.echo(json_bytes(to_json(runs)).decode(), nl=False)
        return
    show(table(runs))
    for line in unknown_speeds(runs):
        click.echo(f"unknown: run {line}")
