"""What was asked for on the command line, as configurations; and running them one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from benchmark.config import RunConfig, from_plain
from benchmark.methods.registry import canonical, method_class
from benchmark.record import RESULT_FILE, read_record
from benchmark.training.runner import run
from cocoad.errors import InputError
from cocoad.manifest import DEFAULT_DATASET
from cocoad.partition import SPLITS

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
    values: dict[str, Any] = {"dataset": str(DEFAULT_DATASET), "split": 0} | (_read(file) if file else {})
    recipe_options = {name: given.pop(name) for name in RECIPE_OPTIONS if name in given}
    values |= given
    if "method" not in values:
        raise InputError("which method? give --method, or --config FILE")
    values["method"] = canonical(str(values["method"]))
    if file is None or "preset" in given or "recipe" not in values:
        presets = method_class(str(values["method"])).presets
        preset = values.setdefault("preset", "paper")
        values["recipe"] = msgspec.to_builtins(presets.get(preset, presets["paper"]))
    values["recipe"] = {**values["recipe"], **recipe_options}
    for setting in settings:
        _set(values, setting)
    if splits is None:
        numbers: list[Any] = [values["split"]]
    else:
        known = [str(split) for split in SPLITS]
        numbers = known if splits == "all" else splits.split(",")
        if unknown := [number for number in numbers if number not in known]:
            raise InputError(f"no split {unknown[0]!r}: there are {', '.join(known)} and all")
    where = str(file) if file else "options"
    return [from_plain({**values, "split": number}, where) for number in numbers]


def run_all(
    planned: Sequence[RunConfig], out: Path, *, force: bool, resume: bool, progress: Progress | None
) -> Iterator[str]:
    """Run each configuration and yield, for each, a line that says what came out; then what to do next."""
    done: set[Path] = set()
    for config in planned:
        started = time.time()
        directory = run(config, out, force=force, resume=resume, progress=progress)
        if directory not in done and os.environ.get("RANK", "0") == "0":
            done.add(directory)
            yield _summary(directory, skipped=(directory / RESULT_FILE).stat().st_mtime < started)
    if done:
        yield f"next: bench leaderboard {out}"


def _summary(directory: Path, skipped: bool) -> str:
    record = read_record(directory)
    found = record.metrics["ader"]
    values = ", ".join(f"{name} {100 * value:.1f}" for name in SHOWN if (value := found[name]) is not None)
    train, test = record.cost.train_seconds, record.cost.test_seconds or 0.0
    took = f"scored in {test:.0f} s" if train is None else f"trained in {train:.0f} s, scored in {test:.0f} s"
    return f"{directory}: {values} (ader, percent); {'finished before, ' if skipped else ''}{took}"


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{file}: not a run's configuration")
    return values


def _set(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    owner, _, name = path.rpartition(".")
    if not (equals and name) or owner not in ("", "recipe", "options"):
        raise InputError(f"--set {setting}: write recipe.NAME=VALUE, options.NAME=VALUE or NAME=VALUE")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if owner:
        key = "method_options" if owner == "options" else owner
        values[key] = {**(values.get(key) or {}), name: value}
    else:
        values[name] = value
