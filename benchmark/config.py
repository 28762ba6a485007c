"""What a run does, as data: frozen dataclasses, filled from a method's recipe, a YAML file and command-line options.

The resolved configuration is written to the run directory as ``config.yaml``; ``bench run --config`` re-runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS

Preset = Literal["paper", "fast"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
OptimizerName = Literal["adam", "adamw", "sgd"]
Device = Literal["auto", "cpu", "cuda"]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Duration = Annotated[float, msgspec.Meta(ge=0)]
BelowOne = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Side = Annotated[int, msgspec.Meta(ge=1, le=4096)]

# What PyYAML raises at a text that is none: a date that there is not, or lists too deep, among others.
NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)


@dataclass(frozen=True)
class Recipe:
    """How a method is trained. A method that fits in one pass uses ``batch_size`` only."""

    epochs: NotNegative = 100  # 0: the untrained network is scored
    batch_size: AtLeastOne = 32  # over all processes
    optimizer: OptimizerName = "adam"
    learning_rate: Positive = 1e-3  # at ``learning_rate_batch`` images a step, else at any batch size
    learning_rate_batch: AtLeastOne | None = None  # scale the rate by batch_size / learning_rate_batch
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    gradient_clip_norm: Positive | None = 5.0
    decay_at: Fraction = 0.8  # fraction of the epochs after which the rate is multiplied by decay_factor
    decay_factor: Positive = 0.1
    drop_last: bool = True
    precision: Precision = "32-true"

    @property
    def scaled_learning_rate(self) -> float:
        """The rate the optimiser starts with."""
        if self.learning_rate_batch is None:
            return self.learning_rate
        return self.learning_rate * self.batch_size / self.learning_rate_batch


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result, and where its inputs lie."""

    method: str
    dataset: Path
    split: int | None = 0  # None for datasets without splits
    layout: str | None = None  # None: recognise it
    classes: tuple[str, ...] = ()  # empty: all
    coco_root: Path | None = None
    image_size: Side = 256  # pixels, square
    backbone: str | None = None  # None: the method's own
    weights: str = "imagenet"  # imagenet, offline, random or a file's path
    method_options: dict[str, Any] = field(default_factory=dict)
    preset: Preset = "paper"
    recipe: Recipe = field(default_factory=Recipe)
    seed: Seed = 42
    deterministic: bool = True
    device: Device = "auto"
    compile: bool = False
    checkpoint: Path | None = None  # start from these weights
    eval_only: bool = False
    save_maps: bool = False
    tensorboard: bool = False
    workers: NotNegative | None = None  # loader processes; None: by the number of cores
    cache: Path | None = None  # the folder of pixel caches; None: the user's cache folder
    use_cache: bool = True
    checkpoint_every_s: Duration = 300.0  # seconds between checkpoints; the end of training has one too


# What may differ between two runs that must come out equal: where things lie, and how fast they are fetched.
WITHOUT_EFFECT = (
    "dataset",
    "coco_root",
    "workers",
    "cache",
    "use_cache",
    "checkpoint_every_s",
    "tensorboard",
)


def to_plain(config: RunConfig) -> dict[str, Any]:
    """Return a configuration as YAML and JSON can say it."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config, enc_hook=str))
    return values


def from_plain(values: Mapping[str, Any], where: str) -> RunConfig:
    """Return the configuration that :func:`to_plain` gave, or that a person wrote; ``where`` names it in errors.

    Raises:
        InputError: an unknown field, or a value of another type.
    """
    recipe = values.get("recipe")
    for owner, given, kind in (("", values, RunConfig), ("recipe.", recipe, Recipe)):
        known = [each.name for each in fields(kind)]
        if isinstance(given, Mapping) and (unknown := [str(name) for name in given if name not in known]):
            raise InputError(f"{where}: no field {owner}{unknown[0]}: there are {', '.join(known)}")
    try:
        return msgspec.convert(values, RunConfig, strict=False, dec_hook=path_from_text)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from None


def read_yaml(file: Path) -> Any:
    """Return what a YAML file says.

    Raises:
        InputError: it cannot be read or is no YAML.
    """
    try:
        return yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except NOT_YAML as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())[:300]}") from None


def splits_of(text: str) -> tuple[int, ...]:
    """Return the splits that a person wrote as ``0``, ``0,2`` or ``all``, each once.

    Raises:
        InputError: there is no such split.
    """
    known = {str(split): split for split in SPLITS}
    names = list(known) if text == "all" else [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no split {unknown[0]!r}: there are {', '.join(known)} and all")
    return tuple(dict.fromkeys(known[name] for name in names))


def with_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a plain configuration that decide the result."""
    return {name: value for name, value in values.items() if name not in WITHOUT_EFFECT}


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields in which two plain configurations differ to some effect, sorted."""
    one, other = with_effect(first), with_effect(second)
    names = []
    for name in sorted(one.keys() | other.keys()):
        here, there = one.get(name), other.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            names += [
                f"{name}.{part}"
                for part in sorted(here.keys() | there.keys())
                if here.get(part) != there.get(part)
            ]
        elif here != there:
            names.append(name)
    return names


def path_from_text(kind: type[Any], value: Any) -> Any:
    """Return a path that a file or an option spells as text; what :func:`msgspec.convert` asks for."""
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")
