"""What a run does, as data: frozen dataclasses, filled from a method's recipe, a YAML file and command-line options.

The resolved configuration is written to the run directory as ``config.yaml``; ``bench run --config`` re-runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from benchmark.tiling import Tiling, tiling
from cocoad.base.errors import InputError, unusable

Preset = Literal["paper", "fast"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
OptimizerName = Literal["adam", "adamw", "stable-adamw", "sgd"]
Schedule = Literal["step", "constant", "cosine"]
Device = Literal["auto", "cpu", "cuda"]
TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Duration = Annotated[float, msgspec.Meta(ge=0)]
BelowOne = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
RunName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
ImageSize = Annotated[int, msgspec.Meta(ge=1, le=4096)]
TileSize = Annotated[int, msgspec.Meta(ge=32, le=65_536)]

# What PyYAML raises at a text that is none: at a date that there is not, `!!bool maybe`, or lists too deep.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
MOST_VALUES = 100_000  # in a YAML file, those that it repeats by name included
RECIPE_OPTIONS = ("epochs", "batch_size", "learning_rate")  # fields of the recipe that have an option


@dataclass(frozen=True)
class Recipe:
    """How a method is trained. A method that fits in one pass uses ``batch_size`` only."""

    epochs: NotNegative = 100  # 0: the untrained network is scored
    iterations: AtLeastOne | None = None  # the length in steps, in place of epochs
    batch_size: AtLeastOne = 32  # over all processes
    optimizer: OptimizerName = "adam"
    learning_rate: Positive = 1e-3  # at ``learning_rate_batch`` images a step, else at any batch size
    learning_rate_batch: AtLeastOne | None = None  # scale the rate by batch_size / learning_rate_batch
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    eps: Positive = 1e-8
    amsgrad: bool = False
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    gradient_clip_norm: Positive | None = 5.0
    warmup_iterations: NotNegative = 0  # steps in which the rate rises linearly
    schedule: Schedule = "step"
    decay_at: Fraction = (
        0.8  # of a step: fraction of the length after which the rate is multiplied by decay_factor
    )
    decay_factor: Positive = 0.1  # of a cosine: what it falls to
    drop_last: bool = True
    precision: Precision = "32-true"

    def steps_per_epoch(self, images: int) -> int:
        """Return the steps in which a training by gradient sees each of ``images`` once."""
        full, rest = divmod(images, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epochs_of(self, images: int) -> int:
        """Return the epochs of a training by gradient on ``images``, the last of which may be cut short."""
        if self.iterations is None:
            return self.epochs
        return -(-self.iterations // max(1, self.steps_per_epoch(images)))

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
    name: RunName | None = None  # of the run's directory, in place of the method and dataset
    coco_root: Path | None = None
    test_share: Share | None = None  # of the normal images, where the dataset has no test set; None: 0.2
    calibration_share: BelowOne = (
        0.0  # of the training images, held out by seed: thresholds come from their scores
    )
    image_size: ImageSize = 256  # pixels, square: what the method sees
    score_size: ImageSize | None = (
        None  # pixels at which maps meet masks; None: the method's, else image_size
    )
    tiles: TileSize | None = (
        None  # pixels, square, of the image's own, that large ones are cut into; None: whole
    )
    tile_overlap: NotNegative | None = None  # pixels by which tiles overlap; None: an eighth of them
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
    evaluate_every: NotNegative = 0  # epochs between looks at the test set during training; 0: none
    log: tuple[TrackerName, ...] = ()  # experiment trackers that are told
    workers: NotNegative | None = None  # loader processes; None: by the number of cores
    threads: AtLeastOne | None = None  # of the processor; None: OMP_NUM_THREADS, or as measured
    cache: Path | None = None  # the folder of pixel caches; None: the user's cache folder
    use_cache: bool = True
    checkpoint_every_s: Duration = 300.0  # seconds between checkpoints; the end of training has one too

    @property
    def tiling(self) -> Tiling | None:
        """How images are cut into tiles; None: not at all."""
        return tiling(self.tiles, self.tile_overlap)

    @property
    def resolution(self) -> int:
        """Pixels at which maps and masks are compared, unless the method has a size of its own."""
        return self.score_size or self.image_size


# What of the rest decides the scores alone: a training goes on, whatever they are.
WITHOUT_EFFECT_ON_TRAINING = ("score_size", "save_maps", "layout", "split", "classes", "preset")
_PLAIN = (bool, int, float, str, type(None))
# What may differ between two runs that must come out equal: where things lie, and how fast they are fetched
# (with other threads equal but for the last bits).
WITHOUT_EFFECT = (
    "name",
    "dataset",
    "coco_root",
    "workers",
    "threads",
    "cache",
    "use_cache",
    "checkpoint_every_s",
    "evaluate_every",
    "log",
    "tensorboard",  # what version 0.1 had for it
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
        config = msgspec.convert(values, RunConfig, strict=False, dec_hook=path_from_text)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from None
    # msgspec leaves a default to the class, where its encoder does not find it
    return replace(config, recipe=replace(config.recipe))


def read_yaml(file: Path) -> Any:
    """Return what a YAML file says.

    Raises:
        InputError: it cannot be read or is no YAML.
    """
    try:
        return plain_yaml(file.read_bytes())
    except OSError as error:
        raise unusable(file, error) from None
    except NOT_YAML as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())[:300]}") from None


def plain_yaml(text: bytes | str) -> Any:
    """Return what a YAML text says, if that can be said in JSON as well.

    Raises:
        One of ``NOT_YAML``: it is no YAML, or says something else than texts, numbers, lists and mappings.
    """
    value = yaml.safe_load(text)
    left = MOST_VALUES
    waiting = [value]
    while waiting:
        one, left = waiting.pop(), left - 1
        if left < 0:
            raise ValueError(f"more than {MOST_VALUES:,} values")
        if isinstance(one, str):
            one.encode()  # else half a character, written by its number
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif not isinstance(one, bool | int | float | None):
            raise ValueError(f"not a plain value: a {type(one).__name__}")
    return value


@dataclass(frozen=True)
class Settings:
    """Values for some fields of a configuration: its own, those of its recipe, and options of its method."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def over(self, other: Settings) -> Settings:
        """Return both together; where both have a value, this one's."""
        return Settings(
            {**other.fields, **self.fields},
            {**other.recipe, **self.recipe},
            {**other.options, **self.options},
        )

    @classmethod
    def of_options(cls, options: Mapping[str, Any]) -> Settings:
        """Return options as a command has them, by name; those that are None were not given."""
        given = {name: value for name, value in options.items() if value is not None}
        recipe = {name: given.pop(name) for name in RECIPE_OPTIONS if name in given}
        return cls(given, recipe)

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Settings:
        """Return ``recipe.NAME=VALUE``, ``options.NAME=VALUE`` (of the method) and ``NAME=VALUE``, in YAML.

        Raises:
            InputError: a text is not so written.
        """
        owners: dict[str, dict[str, Any]] = {"": {}, "recipe": {}, "options": {}}
        for setting in texts:
            path, equals, text = setting.partition("=")
            owner, _, name = path.rpartition(".")
            if not (equals and name) or owner not in owners:
                raise InputError(
                    f"--set {setting}: write recipe.NAME=VALUE, options.NAME=VALUE or NAME=VALUE"
                )
            try:
                owners[owner][name] = plain_yaml(text)
            except NOT_YAML:
                owners[owner][name] = text
        return cls(owners[""], owners["recipe"], owners["options"])


def with_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a plain configuration that decide the result, with those that it does not know yet."""
    known = {name: value for name, value in values.items() if name not in WITHOUT_EFFECT}
    defaults = {each.name: each.default for each in fields(RunConfig) if each.name not in WITHOUT_EFFECT}
    found = {name: value for name, value in defaults.items() if isinstance(value, _PLAIN)} | known
    found["score_size"] = found["score_size"] or found.get("image_size")
    if isinstance(found.get("recipe"), Mapping):
        found["recipe"] = msgspec.to_builtins(Recipe()) | found["recipe"]
    return found


def with_effect_on_training(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a plain configuration that, with the training images, decide the weights."""
    return {
        name: value for name, value in with_effect(values).items() if name not in WITHOUT_EFFECT_ON_TRAINING
    }


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
