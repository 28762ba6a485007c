"""What a sweep was asked for, on the command line or in a plan file: methods with settings, datasets, splits, seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from benchmark.config import RECIPE_OPTIONS, Recipe, RunConfig, Seed, Settings, path_from_text, read_yaml
from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS
from cocoad.dataset.manifest import DEFAULT_DATASET

PER_RUN = ("method", "dataset", "split", "seed", "name")  # fields that are not an entry's setting
Split = Annotated[int, Meta(ge=0)]  # COCO-AD has four, a partition of one's own as many as it likes
Name = Annotated[str, Meta(min_length=1, pattern=r"^[^\0]*\Z")]
FolderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]


@dataclass(frozen=True)
class MethodSettings:
    """A method with its settings; ``name`` is the subfolder of its runs, when one method comes twice."""

    method: str
    where: str  # names it in errors
    name: str | None = None
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Request:
    """The grid: every entry on every dataset, split and seed."""

    entries: tuple[MethodSettings, ...]
    datasets: tuple[Path, ...] = (Path(DEFAULT_DATASET),)
    splits: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (RunConfig.seed,)
    per_class: bool = False  # one model per class, each a run of its own


def _some_of(kind: type) -> list[tuple[str, Any, Any]]:
    """Return the fields of a dataclass as a struct's, each of which may be left out."""
    hints = get_type_hints(kind, include_extras=True)
    return [(name, hint | UnsetType, UNSET) for name, hint in hints.items()]


# The plan file's types: what a configuration's fields take, a method's settings take too.
_Recipe = msgspec.defstruct("_Recipe", _some_of(Recipe), forbid_unknown_fields=True)
_Settings = msgspec.defstruct(
    "_Settings",
    [
        *(each for each in _some_of(RunConfig) if each[0] not in (*PER_RUN, "recipe", "method_options")),
        *(each for each in _some_of(Recipe) if each[0] in RECIPE_OPTIONS),
        ("recipe", _Recipe | UnsetType, UNSET),
        ("options", dict[str, Any] | UnsetType, UNSET),
    ],
    forbid_unknown_fields=True,
    kw_only=True,
)
_Method = msgspec.defstruct(
    "_Method",
    [("method", Name), ("name", FolderName | None, None)],
    bases=(_Settings,),
    forbid_unknown_fields=True,
    kw_only=True,
)


class _Plan(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    methods: Annotated[list[Name | _Method], Meta(min_length=1)]  # type: ignore[valid-type]
    defaults: _Settings | None = None  # type: ignore[valid-type]
    datasets: Annotated[list[Name], Meta(min_length=1)] | None = None
    splits: Literal["all"] | Split | Annotated[list[Split], Meta(min_length=1)] | None = None
    seeds: Seed | Annotated[list[Seed], Meta(min_length=1)] | None = None
    per_class: bool = False


def request(
    *,
    methods: str | None,
    plan: Path | None,
    datasets: Sequence[Path] = (),
    splits: Sequence[int] = (),
    seeds: str | None = None,
    options: Mapping[str, Any],
    settings: Sequence[str] = (),
    per_class: bool = False,
) -> Request:
    """Return the grid that was asked for; options of the command line override those of the plan file.

    Args:
        methods: names, comma-separated; or, instead,
        plan: a YAML file (docs/how-to/sweep.md).
        datasets: folders; none: the plan's, else ``coco-ad``.
        splits: their numbers; none: the plan's, else 0.
        seeds: ``0,1,2``; None: the plan's, else 42.
        options: fields of a run's configuration for every run; those that are None were not given.
        settings: ``NAME=VALUE`` as of ``bench run --set``, for every run.
        per_class: one model per class, whatever the plan says.

    Raises:
        InputError: what is asked for cannot be meant; one line that says where and why.
    """
    if (methods is None) == (plan is None):
        raise InputError("which methods? give either --methods a,b or --plan FILE")
    if plan is not None:
        asked = read_plan(plan)
    else:
        names = [name.strip() for name in str(methods).split(",")]
        if not all(names):
            raise InputError(f"--methods {methods}: write names separated by commas, as invad,rd")
        asked = Request(tuple(MethodSettings(name, "--methods") for name in dict.fromkeys(names)))
    if splits:
        asked = replace(asked, splits=tuple(splits))
    if seeds is not None:
        asked = replace(asked, seeds=_seeds(seeds))
    if datasets:
        asked = replace(asked, datasets=tuple(dict.fromkeys(datasets)))
    given = Settings.of_texts(settings).over(Settings.of_options(options))
    entries = tuple(replace(entry, settings=given.over(entry.settings)) for entry in asked.entries)
    return replace(asked, entries=entries, per_class=asked.per_class or per_class)


def read_plan(file: Path) -> Request:
    """Read a plan file.

    Raises:
        InputError: it cannot be read, is no YAML, or says what cannot be meant.
    """
    try:
        plan = msgspec.convert(read_yaml(file), _Plan, strict=False, dec_hook=path_from_text)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: {error}") from None
    defaults = _settings(plan.defaults)
    found = Request(
        tuple(
            _entry(value, f"{file}: methods[{index}]", defaults) for index, value in enumerate(plan.methods)
        )
    )
    if plan.datasets is not None:
        found = replace(found, datasets=tuple(dict.fromkeys(map(Path, plan.datasets))))
    if plan.splits is not None:
        found = replace(found, splits=tuple(SPLITS) if plan.splits == "all" else _each(plan.splits))
    if plan.seeds is not None:
        found = replace(found, seeds=_each(plan.seeds))
    return replace(found, per_class=plan.per_class)


def _entry(value: Any, where: str, defaults: Settings) -> MethodSettings:
    """Read ``rd`` or ``{method: rd, name: …, epochs: …, options: {…}}``."""
    if isinstance(value, str):
        return MethodSettings(value, where, None, defaults)
    return MethodSettings(value.method, where, value.name, _settings(value).over(defaults))


def _settings(values: Any) -> Settings:
    """Return what is set in a `_Settings`, `_Method` or nothing."""
    given = _set(values)
    recipe = _set(given.pop("recipe", None)) | {
        name: given.pop(name) for name in RECIPE_OPTIONS if name in given
    }
    options = given.pop("options", {})
    return Settings(
        {name: value for name, value in given.items() if name not in ("method", "name")}, recipe, options
    )


def _set(struct: Any) -> dict[str, Any]:
    if struct is None:
        return {}
    every = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return {name: value for name, value in every.items() if value is not UNSET}


def _each(value: Any) -> tuple[int, ...]:
    """Return the numbers of a list, or one alone, each once."""
    return tuple(dict.fromkeys(value if isinstance(value, list) else [value]))


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return _each(msgspec.convert(text.split(","), list[Seed], strict=False))
    except msgspec.ValidationError as error:
        raise InputError(
            f"--seeds {text}: write numbers from 0, separated by commas, as 0,1,2 ({error})"
        ) from None
