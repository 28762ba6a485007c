"""What a sweep was asked for, on the command line or in a plan file: methods with settings, datasets, splits, seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmark.config import RunConfig, read_yaml, splits_of
from benchmark.training.request import RECIPE_OPTIONS
from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS
from cocoad.dataset.manifest import DEFAULT_DATASET

T = TypeVar("T")
TOP = ("methods", "datasets", "splits", "seeds", "defaults")
PER_RUN = ("method", "dataset", "split", "seed")  # fields that are not an entry's setting
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class Entry:
    """A method with its settings; ``name`` is the subfolder of its runs, when one method comes twice."""

    method: str
    where: str  # names it in errors
    name: str | None = None
    options: Mapping[str, Any] | None = None  # as benchmark.training.request.configs takes them
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """The grid: every entry on every dataset, split and seed."""

    entries: tuple[Entry, ...]
    datasets: tuple[Path, ...] = (Path(DEFAULT_DATASET),)
    splits: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (RunConfig.seed,)


def request(
    *,
    methods: str | None,
    plan: Path | None,
    datasets: Sequence[Path] = (),
    splits: str | None = None,
    seeds: str | None = None,
    options: Mapping[str, Any],
    settings: Sequence[str] = (),
) -> Request:
    """Return the grid that was asked for; options of the command line override those of the plan file.

    Args:
        methods: names, comma-separated; or, instead,
        plan: a YAML file (docs/how-to/sweep.md).
        datasets: folders; none: the plan's, else ``coco-ad``.
        splits: ``0``, ``0,2`` or ``all``; None: the plan's, else 0.
        seeds: ``0,1,2``; None: the plan's, else 42.
        options: fields of a run's configuration for every run; those that are None were not given.
        settings: ``NAME=VALUE`` as of ``bench run --set``, for every run.

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
        asked = Request(tuple(Entry(name, "--methods") for name in dict.fromkeys(names)))
    if splits is not None:
        asked = replace(asked, splits=splits_of(splits))
    if seeds is not None:
        asked = replace(asked, seeds=_seeds(_numbers(seeds, "--seeds"), "--seeds"))
    if datasets:
        asked = replace(asked, datasets=tuple(dict.fromkeys(datasets)))
    given = {name: value for name, value in options.items() if value is not None}
    entries = tuple(
        replace(entry, options={**(entry.options or {}), **given}, settings=(*entry.settings, *settings))
        for entry in asked.entries
    )
    return replace(asked, entries=entries)


def read_plan(file: Path) -> Request:
    """Read a plan file.

    Raises:
        InputError: it cannot be read, is no YAML, or says what cannot be meant.
    """
    values = _mapping(read_yaml(file), f"{file}")
    if unknown := [str(key) for key in values if key not in TOP]:
        raise InputError(f"{file}: no field {unknown[0]!r}: there are {', '.join(TOP)}")
    defaults = _settings(_mapping(values.get("defaults") or {}, f"{file}: defaults"), f"{file}: defaults")
    where = f"{file}: methods"
    entries = [
        _entry(value, f"{where}[{index}]", defaults)
        for index, value in enumerate(_list(values.get("methods"), where))
    ]
    found = Request(tuple(entries))
    if values.get("datasets") is not None:
        paths = [
            _text(value, f"{file}: datasets") for value in _list(values["datasets"], f"{file}: datasets")
        ]
        found = replace(found, datasets=tuple(dict.fromkeys(map(Path, paths))))
    if values.get("splits") is not None:
        found = replace(found, splits=_splits(values["splits"], f"{file}: splits"))
    if values.get("seeds") is not None:
        found = replace(found, seeds=_seeds(values["seeds"], f"{file}: seeds"))
    return found


Settings = tuple[dict[str, Any], tuple[str, ...]]  # options and --set settings, as configs() takes them


def _entry(value: Any, where: str, defaults: Settings) -> Entry:
    """Read ``rd`` or ``{method: rd, name: …, epochs: …, options: {…}}``."""
    if isinstance(value, str):
        return Entry(value, where, None, *defaults)
    given = dict(_mapping(value, where))
    method = _text(given.pop("method", None), f"{where}.method")
    name = given.pop("name", None)
    if name is not None and not (isinstance(name, str) and FOLDER_NAME.fullmatch(name)):
        raise InputError(
            f"{where}.name: {_shown(name)} is no name of a folder: letters, digits and ._+- only"
        )
    options, settings = _settings(given, where)
    return Entry(method, where, name, {**defaults[0], **options}, (*defaults[1], *settings))


def _settings(given: Mapping[str, Any], where: str) -> Settings:
    known = {each.name for each in fields(RunConfig)} - {*PER_RUN, "recipe", "method_options"}
    known |= {*RECIPE_OPTIONS, "recipe", "options"}
    if unknown := [str(key) for key in given if key not in known]:
        hint = " (give splits, seeds and datasets at the top)" if unknown[0] in PER_RUN else ""
        raise InputError(f"{where}: no field {unknown[0]!r}{hint}: there are {', '.join(sorted(known))}")
    options = {key: value for key, value in given.items() if key not in ("recipe", "options")}
    settings = []
    for owner in ("recipe", "options"):
        for key, value in _mapping(given.get(owner) or {}, f"{where}.{owner}").items():
            if owner == "recipe" and key in RECIPE_OPTIONS:
                options[key] = value
                continue
            try:
                settings.append(f"{owner}.{key}={json.dumps(value)}")
            except (TypeError, ValueError, RecursionError):
                raise InputError(f"{where}.{owner}.{key}: not a plain value") from None
    return options, tuple(settings)


def _numbers(text: str, where: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise InputError(f"{where} {text}: write numbers separated by commas, as 0,1,2") from None


def _splits(value: Any, where: str) -> tuple[int, ...]:
    if value == "all":
        return tuple(SPLITS)
    numbers = _each(value, where, lambda number: number in SPLITS)
    if numbers is None:
        raise InputError(f"{where}: there are {', '.join(map(str, SPLITS))} and all, not {_shown(value)}")
    return numbers


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    numbers = _each(value, where, lambda number: 0 <= number < 2**63)
    if numbers is None:
        raise InputError(f"{where}: {_shown(value)} is no list of whole numbers from 0")
    return numbers


def _each(value: Any, where: str, fits: Callable[[int], bool]) -> tuple[int, ...] | None:
    """Return the numbers of a list (or one alone), each once; None when one is none or does not fit."""
    numbers = _list([value] if type(value) is int else value, where)
    if not all(type(number) is int and fits(number) for number in numbers):
        return None
    return tuple(dict.fromkeys(numbers))


def _mapping(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: write NAME: VALUE lines, not {_shown(value)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: write a list of at least one, not {_shown(value)}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise InputError(f"{where}: write a name, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """Return a value from a file that anybody may have written, short and on one line."""
    text = (
        "nothing"
        if value is None
        else repr(value)
        if isinstance(value, str | int | float)
        else f"a {type(value).__name__}"
    )
    return text if len(text) <= 60 else f"{text[:57]}…"
