"""What was asked for on the command line, as configurations; and running them one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmark.config import Preset, RunConfig
from benchmark.methods.registry import method_class
from benchmark.record import read_record
from benchmark.training.runner import run
from cocoad.errors import InputError
from cocoad.partition import SPLITS

if TYPE_CHECKING:
    from rich.progress import Progress

SHOWN = ("image_auroc", "pixel_auroc", "aupro", "mad")


def configs(splits: str, *, preset: str, recipe_overrides: dict[str, Any], **fields: Any) -> list[RunConfig]:
    """Return one configuration per split of ``splits`` (``0``, ``0,2`` or ``all``), on the method's preset.

    Raises:
        InputError: no such split or method.
    """
    chosen = cast(Preset, preset)
    presets = method_class(fields["method"]).presets
    recipe = dataclasses.replace(presets.get(chosen, presets["paper"]), **recipe_overrides)
    numbers = [str(split) for split in SPLITS] if splits == "all" else splits.split(",")
    if unknown := [number for number in numbers if number not in map(str, SPLITS)]:
        raise InputError(f"no split {unknown[0]!r}: there are 0, 1, 2, 3 and all")
    return [RunConfig(split=int(number), preset=chosen, recipe=recipe, **fields) for number in numbers]


def run_all(
    planned: Sequence[RunConfig], out: Path, *, force: bool, progress: Progress | None
) -> Iterator[str]:
    """Run each configuration and yield, for each, a line that says what came out; then what to do next."""
    for config in planned:
        directory = run(config, out, force=force, progress=progress)
        record = read_record(directory)
        found = record.metrics["ader"]
        values = ", ".join(
            f"{name} {100 * value:.1f}" for name in SHOWN if (value := found[name]) is not None
        )
        cost = (record.cost.train_seconds or 0) + (record.cost.test_seconds or 0)
        yield f"{directory}: {values} (ader, percent), {cost:.0f} s"
    yield f"next: bench leaderboard {out}"
