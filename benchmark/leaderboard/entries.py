"""One line of a ranking: a variant of a method, averaged over seeds and splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.leaderboard.table import OWN, VARIANT
from benchmark.metrics.evaluation import OUTLIER_PIXEL
from benchmark.metrics.protocols import THRESHOLDS_ON_NORMALISED_MAPS

if TYPE_CHECKING:
    import pandas as pd

SAID_ELSEWHERE = ("", "means-only")  # a ranking's title says that it is of means


@dataclass(frozen=True)
class Value:
    """A cell: mean (a fraction, or a cost in its file's unit; NaN: none) and deviation over seeds."""

    mean: float
    deviation: float | None = None
    outlier: bool = False  # hinges on one extreme pixel


@dataclass(frozen=True)
class Entry:
    """A variant of a method."""

    label: str
    source: str  # "run", or where it was published
    seeds: int  # runs that differ in nothing but the seed; 0 for published rows
    values: dict[str, Value]
    caveats: tuple[str, ...] = ()

    @property
    def published(self) -> bool:
        """Whether it is a published row rather than a run."""
        return self.source != OWN


def entries_of(rows: pd.DataFrame, columns: Sequence[str], notes: list[str]) -> list[Entry]:
    """Return one entry per variant in ``rows`` (of one ranking); what is dropped is added to ``notes``."""
    if rows.empty:
        return []
    entries = []
    for _, group in rows.groupby(list(VARIANT), sort=True):
        runs = group.sort_values("finished_at") if "finished_at" in group else group
        latest = runs.drop_duplicates(["split", "seed"], keep="last")
        label = _label(latest.iloc[0], rows)
        if len(latest) < len(runs):
            notes.append(
                f"{label}: {len(runs) - len(latest)} older run(s) of the same split and seed left out"
            )
        seeds = [frozenset(split["seed"]) for _, split in latest.groupby("split")]
        if len(set(seeds)) > 1:
            notes.append(f"{label}: the splits have different seeds, so no deviation over seeds is given")
        source = str(latest["source"].iloc[0])
        entries.append(
            Entry(
                label=label,
                source=source,
                seeds=max(map(len, seeds)) if source == OWN else 0,
                values={column: _value(latest, column, len(set(seeds)) == 1) for column in columns},
                caveats=tuple(
                    key for key in str(latest["caveats"].iloc[0]).split(";") if key not in SAID_ELSEWHERE
                ),
            )
        )
    return entries


def _value(runs: pd.DataFrame, column: str, same_seeds: bool) -> Value:
    """Average over seeds, then splits (NaN when a run has none); the deviation is of the seeds' means."""
    if column not in runs:
        return Value(float("nan"))
    numbers = runs.assign(number=runs[column].astype("float64"))
    mean = float(
        numbers.groupby("split")["number"].agg(lambda seeds: seeds.mean(skipna=False)).mean(skipna=False)
    )
    by_seed = numbers.groupby("seed")["number"].agg(lambda splits: splits.mean(skipna=False))
    deviation = float(by_seed.std(ddof=1, skipna=False)) if same_seeds and len(by_seed) > 1 else None
    hinges = column in THRESHOLDS_ON_NORMALISED_MAPS.get(str(runs["protocol"].iloc[0]), frozenset())
    outlier = hinges and any(OUTLIER_PIXEL in str(flags).split(";") for flags in runs["flags"])
    return Value(mean, deviation, outlier)


def _label(row: pd.Series[Any], rows: pd.DataFrame) -> str:
    """Return the method's name and whatever tells this variant from the others of that name."""
    peers = rows[(rows["method"] == row["method"]) & (rows["source"] == row["source"])]
    details = []
    for name in VARIANT[2:]:
        if peers[name].nunique() < 2:
            continue
        if name in ("options", "recipe"):
            details += _differences(str(row[name]), [str(other) for other in peers[name].unique()])
        elif row[name]:
            details.append(f"{row[name]} epochs" if name == "epochs" else str(row[name]))
    return f"{row['method']} ({', '.join(details)})" if details else str(row["method"])


def _differences(own: str, others: Sequence[str]) -> list[str]:
    """Return ``key=value`` for every key on which the JSON objects differ; epochs are named elsewhere."""
    objects = [json.loads(text) if text else {} for text in others]
    mine = json.loads(own) if own else {}
    keys = sorted({key for item in objects for key in item} - {"epochs"})
    return [
        f"{key}={json.dumps(mine.get(key))}"
        for key in keys
        if len({json.dumps(o.get(key)) for o in objects}) > 1
    ]
