"""One line of a ranking: a variant of a method, averaged over seeds and splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark.leaderboard.table import OWN, VARIANT
from benchmark.metrics.evaluation import OUTLIER_PIXEL
from benchmark.metrics.protocols import THRESHOLDS_ON_NORMALISED_MAPS

if TYPE_CHECKING:
    import pandas as pd

SAID_ELSEWHERE = ("", "means-only")  # a ranking's title says that it is of means
BUDGET = {"epochs": "Epochs", "backbone": "Backbone", "weights": "Weights", "pretraining": "Pretraining"}
"""What a result cost before it was scored, by column; a ranking shows those in which its lines differ."""
VERSIONS = {"method_version": "method version", "pipeline_version": "pixel pipeline version"}
IN_LABEL = ("input_size", "tiles", "backbone", "weights", "preset", "epochs", "options", "recipe")
TOLD_BY = (*IN_LABEL, *VERSIONS)
UNITS = {"epochs": " epochs", "input_size": " px", "tiles": " px tiles"}
PAPER = "paper"


@dataclass(frozen=True)
class Value:
    """A mean (a fraction, or a cost in its file's unit; NaN: none) and its deviation over seeds."""

    mean: float
    deviation: float | None = None
    outlier: bool = False  # hinges on one extreme pixel


@dataclass(frozen=True)
class Entry:
    """A variant of a method."""

    method: str
    details: str  # what tells it from other variants of the method
    source: str  # "run", or where it was published
    trust: str
    seeds: int  # runs that differ in nothing but the seed; 0 for published rows
    values: dict[str, Value]
    budget: dict[str, str] = field(default_factory=dict)  # by the keys of BUDGET
    own_recipe: str = ""  # what it was trained by where that is not its paper's recipe
    caveats: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The method's name and what tells it from its other variants."""
        return f"{self.method} ({self.details})" if self.details else self.method

    @property
    def published(self) -> bool:
        """Whether it is a published row rather than a run."""
        return self.source != OWN


Line = dict[str, Any]  # of the tidy table: its values by column


def entries_of(rows: pd.DataFrame, columns: Sequence[str], notes: list[str]) -> list[Entry]:
    """Return one entry per variant in ``rows`` (of one ranking); what is dropped is added to ``notes``."""
    names = list(
        dict.fromkeys((*VARIANT, "split", "seed", "protocol", "caveats", "flags", "finished_at", *columns))
    )
    lines: list[Line] = [dict(zip(names, line, strict=True)) for line in rows[names].itertuples(index=False)]
    variants: dict[tuple[str, ...], list[Line]] = {}
    peers: dict[
        tuple[str, str], dict[str, set[str]]
    ] = {}  # of a method and source: the values of each column
    for line in lines:
        variants.setdefault(tuple(line[name] for name in VARIANT), []).append(line)
        values = peers.setdefault((line["source"], line["method"]), {name: set() for name in TOLD_BY})
        for name in TOLD_BY:
            values[name].add(line[name])
    entries = []
    for _, runs in sorted(variants.items()):
        runs.sort(key=lambda line: str(line["finished_at"]))
        latest = list({(line["split"], line["seed"]): line for line in runs}.values())
        entry = _entry(latest, _details(latest[0], peers[latest[0]["source"], latest[0]["method"]]), columns)
        if len(latest) < len(runs):
            notes.append(
                f"{entry.label}: {len(runs) - len(latest)} older run(s) of the same split and seed left out"
            )
        if len(_seeds(latest)) > 1:
            notes.append(
                f"{entry.label}: the splits have different seeds, so no deviation over seeds is given"
            )
        entries.append(entry)
    for (_, method), values in peers.items():
        notes += [
            f"{method}: {words}s {', '.join(sorted(values[name]))} are rows of their own, never averaged"
            for name, words in VERSIONS.items()
            if len(values[name]) > 1
        ]
    return entries


def _seeds(runs: Sequence[Line]) -> set[frozenset[str]]:
    """Return the sets of seeds that the splits have: one, where all have the same."""
    found: dict[str, set[str]] = {}
    for line in runs:
        found.setdefault(line["split"], set()).add(line["seed"])
    return {frozenset(seeds) for seeds in found.values()}


def _entry(runs: Sequence[Line], details: str, columns: Sequence[str]) -> Entry:
    first, seeds = runs[0], _seeds(runs)
    caveats = tuple(key for key in first["caveats"].split(";") if key not in SAID_ELSEWHERE)
    return Entry(
        method=first["method"],
        details=details,
        source=first["source"],
        trust=first["trust"],
        seeds=max(map(len, seeds)) if first["source"] == OWN else 0,
        values={column: _value(runs, column, len(seeds) == 1) for column in columns},
        budget={name: first[name] for name in BUDGET},
        own_recipe=_own_recipe(first),
        caveats=caveats,
    )


def _own_recipe(row: Line) -> str:
    """Return what a method was trained by where that is not its paper's recipe, as far as the record tells."""
    if row["source"] != OWN or row["trust"] != "native":
        return ""
    if row["weights"] == "random":
        return "an encoder of random weights"
    if row["preset"] == PAPER or not row["epochs"]:  # without epochs it was scored, not trained
        return ""
    return f"preset {row['preset']}" if row["preset"] else "a changed recipe"


def _value(runs: Sequence[Line], column: str, same_seeds: bool) -> Value:
    """Average over seeds, then splits (NaN when a run has none); the deviation is of the seeds' means."""
    by_split: dict[str, list[float]] = {}
    by_seed: dict[str, list[float]] = {}
    for line in runs:
        by_split.setdefault(line["split"], []).append(float(line[column]))
        by_seed.setdefault(line["seed"], []).append(float(line[column]))
    mean = _mean([_mean(seeds) for seeds in by_split.values()])
    deviation = _deviation([_mean(splits) for splits in by_seed.values()]) if same_seeds else None
    hinges = column in THRESHOLDS_ON_NORMALISED_MAPS.get(runs[0]["protocol"], frozenset())
    outlier = hinges and any(OUTLIER_PIXEL in line["flags"].split(";") for line in runs)
    return Value(mean, deviation, outlier)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _deviation(numbers: Sequence[float]) -> float | None:
    """Return the standard deviation (n − 1) of two or more numbers."""
    if len(numbers) < 2:
        return None
    mean = _mean(numbers)
    squares = sum((number - mean) ** 2 for number in numbers)
    return float((squares / (len(numbers) - 1)) ** 0.5)


def _details(row: Line, peers: dict[str, set[str]]) -> str:
    """Return whatever tells a variant from the others of its method and source."""
    details = []
    for name in IN_LABEL:
        if len(peers[name]) < 2:
            continue
        if name in ("options", "recipe"):
            details += _differences(row[name], sorted(peers[name]))
        elif name == "preset":
            details.append(row[name] or "changed recipe")
        elif row[name]:
            details.append(f"{row[name]}{UNITS.get(name, '')}")
    details += [
        f"{words} {row[name]}" for name, words in VERSIONS.items() if len(peers[name]) > 1 and row[name]
    ]
    return ", ".join(details)


def _differences(own: str, others: Sequence[str]) -> list[str]:
    """Return ``key=value`` for every key on which the JSON objects differ; epochs are named elsewhere."""
    objects = [json.loads(text) if text else {} for text in others]
    mine = json.loads(own) if own else {}
    keys = sorted({key for item in objects for key in item} - {"epochs"})
    return [
        f"{key}={json.dumps(mine.get(key))}"
        for key in keys
        if len({json.dumps(other.get(key)) for other in objects}) > 1
    ]
