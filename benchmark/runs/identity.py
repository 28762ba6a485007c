"""What makes a run this run and no other: where it lies, what its configuration comes to, what it may be taken for.

Nothing here needs torch, so that a sweep is planned, and a leaderboard read, without it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from benchmark.config import Precision, RunConfig, differences, to_plain
from benchmark.facts import Facts
from benchmark.runs.environment import has_native_bf16
from benchmark.runs.record import Record
from cocoad.base.errors import InputError


def run_directory(config: RunConfig, dataset_name: str, out: Path) -> Path:
    """Return where a run's files go: ``out/METHOD_DATASET[_split-K]_seed-S``."""
    split = "" if config.split is None else f"_split-{config.split}"
    method = config.method.replace(":", "-")
    return out / f"{method}_{dataset_name}{split}_seed-{config.seed}"


def resolved(config: RunConfig, facts: Facts) -> RunConfig:
    """Return ``config`` with all decided that does not hang on the machine's devices.

    That is the backbone, the epochs of a method that takes no other number, and on a processor the precision.

    Raises:
        InputError: there is nothing to evaluate.
    """
    if config.eval_only and config.checkpoint is None:
        raise InputError("--eval-only needs --checkpoint FILE: there is nothing to evaluate")
    recipe = replace(config.recipe, precision=supported_precision(config.recipe.precision, config.device))
    if facts.fixed_epochs is not None:
        recipe = replace(recipe, epochs=facts.fixed_epochs)
    return replace(config, recipe=recipe, backbone=config.backbone or facts.default_backbone)


def supported_precision(precision: Precision, device: str) -> Precision:
    """Return ``precision``, or float32 on a processor that could only emulate it, slower than float32 itself."""
    if device != "cpu":
        return precision
    return "bf16-mixed" if precision == "bf16-mixed" and has_native_bf16() else "32-true"


def check_finished(
    directory: Path,
    record: Record,
    config: RunConfig,
    facts: Facts,
    dataset_hash: str,
    ignored: Collection[str] = (),
) -> None:
    """Make sure that the finished run in ``directory`` is one of ``config`` on this version of the dataset.

    Raises:
        InputError: it differs, in more than the fields that are ``ignored``.
    """
    changed = [name for name in differences(record.config, to_plain(config)) if name not in ignored]
    if record.dataset.hash != dataset_hash:
        changed.append("version of the dataset")
    if record.method.version not in (None, facts.version):  # None: made before there were versions
        changed.append(f"version of the method ({record.method.version}, here {facts.version})")
    if changed:
        names = ", ".join(changed)
        raise InputError(f"{directory} holds a run with another {names}: give --overwrite, or another --out")
