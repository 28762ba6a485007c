"""What was asked for on the command line, as configurations; and running them one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import yaml

from benchmark.config import NOT_YAML, RunConfig, from_plain, read_yaml, splits_of
from benchmark.datasets import layout_of
from benchmark.methods.registry import canonical, facts_of, taken_options
from benchmark.runs.record import RESULT_FILE, read_record
from cocoad.base.errors import InputError
from cocoad.dataset.manifest import DEFAULT_DATASET

if TYPE_CHECKING:
    from rich.progress import Progress

SHOWN = ("image_auroc", "pixel_auroc", "aupro", "mad")
RECIPE_OPTIONS = ("epochs", "batch_size", "learning_rate")


def configs(
    options: Mapping[str, Any],
    *,
    splits: str | None = None,
    settings: Sequence[str] = (),
    file: Path | None = None,
) -> list[RunConfig]:
    """Return one configuration per split: ``file``, overridden by ``options``, overridden by ``settings``.

    Args:
        options: fields of :class:`RunConfig`, and ``epochs``, ``batch_size``, ``learning_rate`` of its recipe;
            those that are None were not given. Without a file, or when a preset is given, the recipe is the
            method's preset.
        splits: ``0``, ``0,2`` or ``all``.
        settings: ``recipe.NAME=VALUE``, ``options.NAME=VALUE`` (of the method) or ``NAME=VALUE``, in YAML.
        file: a run's ``config.yaml``, or one written by hand.

    Raises:
        InputError: no such split, method, field or file, or a value that does not fit.
    """
    given = {name: value for name, value in options.items() if value is not None}
    recipe = {name: given.pop(name) for name in RECIPE_OPTIONS if name in given}
    own: dict[str, Any] = {}
    for setting in settings:
        owner, name, value = _setting(setting)
        {"": given, "recipe": recipe, "options": own}[owner][name] = value
    values: dict[str, Any] = (
        {"dataset": str(DEFAULT_DATASET), "split": 0} | (_read(file) if file else {}) | given
    )
    if "method" not in values:
        raise InputError("which method? give --method, or --config FILE")
    values["method"] = canonical(str(values["method"]))
    if "recipe" not in given and (file is None or "preset" in given or "recipe" not in values):
        values |= _preset(values["method"], values.get("preset", "paper"))
    for name, more in (("recipe", recipe), ("method_options", own)):
        if isinstance(values.setdefault(name, {}), dict):  # else it is refused below
            values[name] = {**values[name], **more}
    numbers = [values["split"]] if splits is None else splits_of(splits)
    where = str(file) if file else "options"
    found = [from_plain({**values, "split": number}, where) for number in numbers]
    taken_options(values["method"], found[0].method_options)
    return found


def run_all(
    planned: Sequence[RunConfig], out: Path, *, force: bool, resume: bool, progress: Progress | None
) -> Iterator[str]:
    """Run each configuration and yield, for each, a line that says what came out; then what to do next."""
    from benchmark.training.runner import run  # torch, which a plan of runs does without

    for config in _distinct(planned):
        started = time.time()
        directory = run(config, out, force=force, resume=resume, progress=progress)
        if _speaks():
            yield _summary(directory, skipped=(directory / RESULT_FILE).stat().st_mtime < started)
    if _speaks():
        yield f"next: bench leaderboard {out}"


def _distinct(planned: Sequence[RunConfig]) -> Sequence[RunConfig]:
    """Return configurations that differ in their split alone, or the first where the dataset has no splits."""
    path, layout = planned[0].dataset, planned[0].layout
    return planned if len(planned) == 1 or layout_of(path, layout).splits(path) else planned[:1]


def _preset(method: str, name: Any) -> dict[str, Any]:
    """Return the preset that is taken when a method is asked for one, and its recipe."""
    presets = facts_of(method).presets
    if name == "fast" and name not in presets:
        if _speaks():
            click.echo(f"note: {method} has no preset fast: paper is taken, and recorded", err=True)
        name = "paper"
    recipe = presets[name if name in tuple(presets) else "paper"]  # a wrong name is refused with other fields
    return {"preset": name, "recipe": msgspec.to_builtins(recipe)}


def _speaks() -> bool:
    """Say whether this is the first of the run's processes, before they know of one another."""
    return os.environ.get("RANK", "0") == "0"


def _summary(directory: Path, skipped: bool) -> str:
    record = read_record(directory)
    found = record.metrics["ader"]
    values = ", ".join(f"{name} {_percent(found[name])}" for name in SHOWN)
    train, test = record.cost.train_seconds, record.cost.test_seconds or 0.0
    took = f"scored in {test:.0f} s" if train is None else f"trained in {train:.0f} s, scored in {test:.0f} s"
    return f"{directory}: {values} (ader, percent); {'finished before, ' if skipped else ''}{took}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _read(file: Path) -> dict[str, Any]:
    values = read_yaml(file)
    if not isinstance(values, dict):
        raise InputError(f"{file}: not a run's configuration")
    return values


def _setting(setting: str) -> tuple[str, str, Any]:
    """Return what a setting is of (``recipe``, ``options`` or nothing), its name and its value."""
    path, equals, text = setting.partition("=")
    owner, _, name = path.rpartition(".")
    if not (equals and name) or owner not in ("", "recipe", "options"):
        raise InputError(f"--set {setting}: write recipe.NAME=VALUE, options.NAME=VALUE or NAME=VALUE")
    try:
        return owner, name, yaml.safe_load(text)
    except NOT_YAML:
        return owner, name, text
