"""What was asked for on the command line, as configurations; and running them one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from benchmark.config import Preset, RunConfig, Settings, from_plain, read_yaml
from benchmark.datasets import known_as, layout_of, load_dataset, splits_meant
from benchmark.datasets.catalogue import COCO_AD, MVTEC_AD
from benchmark.methods.registry import canonical, facts_of, taken_options
from benchmark.runs.record import RESULT_FILE, read_record
from cocoad.base.console import next_line, path_line
from cocoad.base.errors import InputError
from cocoad.dataset.manifest import DEFAULT_DATASET

if TYPE_CHECKING:
    from rich.progress import Progress

SHOWN = ("image_auroc", "pixel_auroc", "aupro", "mad")
HOLDS_FAST = (COCO_AD,)  # datasets on which the published logs are no worse after ten epochs


def configs(
    options: Mapping[str, Any],
    *,
    splits: Sequence[int] = (),
    settings: Sequence[str] = (),
    file: Path | None = None,
) -> list[RunConfig]:
    """Return one configuration per split: ``file``, overridden by ``options``, overridden by ``settings``.

    Args:
        options: fields of :class:`RunConfig`, and ``epochs``, ``batch_size``, ``learning_rate`` of its recipe;
            those that are None were not given. Without a file, or when a preset is given, the recipe is the
            method's preset; the image size, where nothing gives it, is the method's own.
        splits: their numbers; none: as the file says, or 0.
        settings: ``recipe.NAME=VALUE``, ``options.NAME=VALUE`` (of the method) or ``NAME=VALUE``, in YAML.
        file: a run's ``config.yaml``, or one written by hand.

    Raises:
        InputError: no such split, method, field or file, or a value that does not fit.
    """
    return configured(Settings.of_texts(settings).over(Settings.of_options(options)), splits, file)


def configured(asked: Settings, splits: Sequence[int] = (), file: Path | None = None) -> list[RunConfig]:
    """Do as :func:`configs`, of settings."""
    given = dict(asked.fields)
    values: dict[str, Any] = (
        {"dataset": str(DEFAULT_DATASET), "split": 0} | (_read(file) if file else {}) | given
    )
    if "method" not in values:
        raise InputError("which method? give --method, or --config FILE")
    values["method"] = canonical(str(values["method"]))
    if "recipe" not in given and (file is None or "preset" in given or "recipe" not in values):
        values |= _preset(values, told="epochs" not in asked.recipe)
    values.setdefault("image_size", facts_of(values["method"]).image_size)
    # Epochs that were asked for take the place of a length in steps.
    recipe = {"iterations": None, **asked.recipe} if "epochs" in asked.recipe else asked.recipe
    for name, more in (("recipe", recipe), ("method_options", asked.options)):
        if isinstance(values.setdefault(name, {}), dict):  # else it is refused below
            values[name] = {**values[name], **more}
    where = str(file) if file else "options"
    found = [from_plain({**values, "split": number}, where) for number in splits or [values["split"]]]
    taken_options(values["method"], found[0].method_options)
    return found


def starting(planned: Sequence[RunConfig]) -> str:
    """Return the line that is said before anything is loaded, downloaded or read."""
    first, more = planned[0], len(planned) - 1
    backbone = first.backbone or facts_of(first.method).default_backbone
    weights = f", {first.weights} weights of {backbone}" if backbone and not first.checkpoint else ""
    return f"starting {first.method} on {path_line(str(first.dataset))}{weights}" + (
        f", and {more} more after it" if more else ""
    )


def run_all(
    planned: Sequence[RunConfig],
    out: Path,
    *,
    overwrite: bool,
    bars: Callable[[], AbstractContextManager[Progress | None]] = nullcontext,
) -> Iterator[str]:
    """Run each configuration and yield, for each, a line that says what came out; then what to do next.

    ``bars`` are shown while a run lasts, and gone when its line comes.
    """
    from benchmark.training.runner import run  # torch, which a plan of runs does without

    for config in _distinct(planned):
        started = time.time()
        with bars() as progress:
            directory = run(config, out, force=overwrite, progress=progress)
        if _speaks():
            yield _summary(directory, skipped=(directory / RESULT_FILE).stat().st_mtime < started)
    if _speaks():
        yield next_line("bench", "leaderboard", out)


def of_each_class(planned: Sequence[RunConfig]) -> list[RunConfig]:
    """Return, for each configuration, one of each of its classes, or of its dataset's: one model per class."""
    found = []
    for config in _distinct(planned):
        data = load_dataset(
            config.dataset, layout=config.layout, split=config.split, classes=config.classes,
            coco_root=config.coco_root, test_share=config.test_share,
        )  # fmt: skip
        found += [replace(config, classes=(name,)) for name in data.classes]
    return found


def _distinct(planned: Sequence[RunConfig]) -> Sequence[RunConfig]:
    """Return the configurations, or those of one split where the dataset has no splits."""
    path, layout = planned[0].dataset, planned[0].layout
    asked = [config.split for config in planned if config.split is not None]
    meant = splits_meant(path, layout, asked)
    if set(meant) != set(asked):
        planned = [replace(planned[0], split=split) for split in meant]
    if len({config.split for config in planned}) == 1 or layout_of(path, layout).splits(path):
        return planned
    return [config for config in planned if config.split == planned[0].split]


def _preset(values: Mapping[str, Any], told: bool) -> dict[str, Any]:
    """Return the preset that is taken when a method is asked for one, and its recipe on the dataset at hand.

    ``told``: say what a preset's length means there.
    """
    method, name = values["method"], values.get("preset", "paper")
    facts = facts_of(method)
    if name == "fast" and name not in facts.presets:
        _note(f"{method} has no preset fast: paper is taken, and recorded")
        name = "paper"
    chosen: Preset = (
        name if name in tuple(facts.presets) else "paper"
    )  # a wrong name is refused with other fields
    path = values["dataset"]  # of another type it is refused with other fields
    dataset = known_as(Path(path), values.get("layout")) if isinstance(path, str | Path) else None
    recipe = facts.recipe(chosen, dataset)
    if told and recipe != facts.presets[chosen]:
        _note(
            f"preset paper on {dataset}: {recipe.epochs} epochs, as its published rows "
            f"({facts.presets[chosen].epochs} elsewhere)"
        )
    if told and chosen == "fast" and facts.training == "gradient" and dataset not in HOLDS_FAST:
        _note(
            f"preset fast holds up on COCO-AD; on {MVTEC_AD} the published logs score lower after {recipe.epochs} "
            "epochs than at their end (docs/how-to/train.md)"
        )
    return {"preset": name, "recipe": msgspec.to_builtins(recipe)}


def _note(what: str) -> None:
    if _speaks():
        click.echo(f"note: {what}", err=True)


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
    if values.pop("tensorboard", False):  # what version 0.1 wrote
        values["log"] = ["tensorboard"]
    return values
