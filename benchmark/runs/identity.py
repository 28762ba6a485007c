"""What makes a run this run and no other: where it lies, what its configuration comes to, what it may be taken for.

Nothing here needs torch, so that a sweep is planned, and a leaderboard read, without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.config import (
    WITHOUT_EFFECT_ON_TRAINING,
    Precision,
    Preset,
    RunConfig,
    differences,
    read_yaml,
    to_plain,
)
from benchmark.facts import Facts
from benchmark.runs.environment import has_native_bf16
from benchmark.runs.record import CONFIG_FILE, Record
from benchmark.tiling import SCORE_SIZE
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes

MOST_LETTERS = 60  # of classes in a folder's name


def run_directory(config: RunConfig, dataset_name: str, out: Path) -> Path:
    """Return where a run's files go: ``out/METHOD_DATASET[_split-K][_CLASSES]_seed-S``, or ``out/NAME…``."""
    split = "" if config.split is None else f"_split-{config.split}"
    classes = f"_{_classes_in_names(config.classes)}" if config.classes else ""
    method = config.method.replace(":", "-")
    return out / f"{config.name or f'{method}_{dataset_name}'}{split}{classes}_seed-{config.seed}"


def _classes_in_names(classes: Sequence[str]) -> str:
    """Return some classes as a part of a folder's name: their names, or where these are too much their hash."""
    plain = "+".join(sorted(classes))
    if len(plain) <= MOST_LETTERS and re.fullmatch(r"[\w.+-]+", plain):
        return plain
    return f"{len(classes)}-classes-{sha256_bytes(chr(0).join(sorted(classes)).encode())[:8]}"


def recorded_preset(config: RunConfig, facts: Facts, dataset: str | None = None) -> Preset | None:
    """Return the preset that a run was trained by; None where something of its recipe was changed.

    The precision is no change: it is the machine's. ``dataset`` is a name of the catalogue, or None.
    """
    if config.preset not in facts.presets:
        return None
    preset = facts.recipe(config.preset, dataset)
    epochs = preset.epochs if facts.fixed_epochs is None else facts.fixed_epochs
    same = replace(preset, precision=config.recipe.precision, epochs=epochs)
    return config.preset if same == config.recipe else None


def resolved(config: RunConfig, facts: Facts) -> RunConfig:
    """Return ``config`` with all decided that does not hang on the machine's devices.

    That is the backbone, the size to score at, the epochs of a method that takes no other number, and on a
    processor the precision.

    Raises:
        InputError: there is nothing to evaluate, or a length in iterations for a method that has its own loop.
    """
    if config.eval_only and config.checkpoint is None:
        raise InputError("--eval-only needs --checkpoint FILE: there is nothing to evaluate")
    recipe = replace(config.recipe, precision=supported_precision(config.recipe.precision, config.device))
    if facts.fixed_epochs is not None:
        recipe = replace(recipe, epochs=facts.fixed_epochs)
    if facts.training == "own" and recipe.iterations is not None:
        raise InputError(f"{config.method} trains itself: give --epochs instead of recipe.iterations")
    usual = SCORE_SIZE if config.tiling else facts.score_size
    backbone = config.backbone or facts.default_backbone
    size = config.score_size or usual or config.image_size
    return replace(config, recipe=recipe, backbone=backbone, score_size=size)


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


def check_interrupted(directory: Path, config: RunConfig, ignored: Collection[str] = ()) -> None:
    """Make sure that the checkpoints in ``directory`` can be gone on from by a run of ``config``.

    Raises:
        InputError: they are of a training that differs, in more than the fields that are ``ignored``.
    """
    there = read_yaml(directory / CONFIG_FILE)
    if not isinstance(there, dict):
        raise InputError(
            f"{directory / CONFIG_FILE}: not a run's configuration: give --overwrite to start anew"
        )
    of_no_account = {*ignored, *WITHOUT_EFFECT_ON_TRAINING}
    if changed := [name for name in differences(there, to_plain(config)) if name not in of_no_account]:
        raise InputError(
            f"{directory} holds an interrupted run with another {', '.join(changed)}: give --overwrite to start anew, "
            "or another --out"
        )
