"""Is run B better than run A? By a paired bootstrap over the test images, by metric and by group.

Image metrics come from ``scores.csv``. Pixel metrics of a resample need all its pixels, which no run keeps;
they are recomputed from the 64×64 previews under the ``exact`` definitions, and the records' own values, of
full resolution, stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.comparison.bootstrap import Interval, draw_weights, interval
from benchmark.comparison.resample import ResampledRun, RowNumbers
from benchmark.metrics.protocols import NO_MAPS
from benchmark.runs.outputs import PREVIEW_SIZE, ImageScore, Previews, read_previews, read_scores
from benchmark.runs.record import Record, read_record
from cocoad.base.console import progress
from cocoad.base.errors import InputError
from cocoad.base.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

RESAMPLED = "exact"  # the definitions of what is recomputed
FEWEST = 10  # anomalous images; of fewer a resampling says nothing of others
EVERYTHING = ""  # the group of all anomalous images


@dataclass(frozen=True)
class Difference:
    """B − A of a metric (fractions): ``first`` and ``second`` from the records, ``found`` by bootstrap.

    ``enough`` says whether there are so many images that the bootstrap may decide.
    """

    metric: str
    first: float | None
    second: float | None
    found: Interval
    enough: bool = True

    @property
    def better(self) -> str:
        """``A`` or ``B`` where the 95 % interval excludes 0 and the records do not say otherwise, else nothing."""
        return "" if self.contradicted or not self.enough else self._outside

    @property
    def contradicted(self) -> bool:
        """Whether the interval excludes 0 on the one side and the records' values differ to the other."""
        if self.first is None or self.second is None:
            return False
        return (self.second - self.first) * {"A": -1, "B": 1, "": 0}[self._outside] < 0

    @property
    def _outside(self) -> str:
        if self.found.low > 0:
            return "B"
        return "A" if self.found.high < 0 else ""


@dataclass(frozen=True)
class Group:
    """Differences on some anomalous images against all normal ones."""

    anomalous: int
    differences: list[Difference]

    @property
    def enough(self) -> bool:
        """Whether it has so many images that the bootstrap may decide."""
        return self.anomalous >= FEWEST


@dataclass(frozen=True)
class Comparison:
    """What the bootstrap found, overall and by group (held-out category, object size, kind of defect)."""

    first: Path
    second: Path
    images: int
    samples: int
    seed: int
    protocol: str  # of the records' values
    overall: Group
    groups: dict[str, Group]
    notes: list[str]

    def __repr__(self) -> str:
        better = [f"{each.better} on {each.metric}" for each in self.overall.differences if each.better]
        return f"Comparison(of {self.images} images: better is {', '.join(better) or 'neither'})"

    def _repr_html_(self) -> str:
        frame = self.to_pandas()
        overall = frame[frame["group"] == EVERYTHING].drop(columns="group")
        return html_table(
            list(overall.columns), overall.itertuples(index=False), f"A: {self.first}, B: {self.second}"
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each group and metric: fractions, the difference B − A with its interval and p."""
        import pandas as pd

        parts = {EVERYTHING: self.overall, **self.groups}
        return pd.DataFrame(
            [
                {
                    "group": name,
                    "metric": each.metric,
                    "a": each.first,
                    "b": each.second,
                    **vars(each.found),
                    "better": each.better,
                }
                for name, group in parts.items()
                for each in group.differences
            ]
        )


def compare(
    first: Path,
    second: Path,
    samples: int = 2000,
    seed: int = 0,
    protocol: str = "ader",
    by_group: bool = True,
    quiet: bool = False,
) -> Comparison:
    """Compare two finished runs on the same test images.

    Args:
        first, second: run directories, A and B.
        samples: resamples of the bootstrap.
        seed: of the resampling.
        by_group: compare every group too, which takes most of the time.
        quiet: show no progress.
        protocol: of the records' values that stand beside the differences; ``ader`` as in the leaderboard.

    Raises:
        InputError: a record is unsound, or the runs were not scored on the same data under the same rules.
    """
    records = read_record(first), read_record(second)
    _check_same_data(*records)
    scores = read_scores(first)
    others = read_scores(second)
    order = _order_like(scores, others, first, second)
    mapless = [
        path for path, one in zip((first, second), records, strict=True) if NO_MAPS in one.undefined.values()
    ]
    previews, notes = _previews(first, second, order, mapless)
    weights = draw_weights([(score.class_name, score.label) for score in scores], samples, seed)
    members = _members(scores)
    if not by_group:
        members = {EVERYTHING: members[EVERYTHING]}
    with progress(quiet) as bar:
        task = bar.add_task("resampling", total=2 * len(weights))
        aligned = [others[row] for row in order]
        values = [
            ResampledRun(*side).evaluate(weights, members, lambda done: bar.advance(task, done))
            for side in ((scores, previews[0]), (aligned, previews[1]))
        ]
    groups = {
        name: Group(
            rows.size,
            [
                Difference(
                    metric,
                    *recorded,
                    interval(values[0][name][metric], values[1][name][metric]),
                    min(rows.size, len(scores) - members[EVERYTHING].size) >= FEWEST,
                )
                for metric, recorded in _recorded(records, name, protocol, values[0][name])
            ],
        )
        for name, rows in members.items()
    }
    overall = groups.pop(EVERYTHING)
    return Comparison(first, second, len(scores), samples, seed, protocol, overall, groups, notes)


def _check_same_data(first: Record, second: Record) -> None:
    ours, theirs = first.dataset, second.dataset
    for what, mine, other in [
        ("datasets", ours.name, theirs.name),
        ("splits", ours.split, theirs.split),
        ("resolutions", ours.resolution, theirs.resolution),
        ("classes", ours.classes, theirs.classes),
        ("versions of the dataset (hashes)", ours.hash[:12], theirs.hash[:12]),
    ]:
        if mine != other:
            raise InputError(
                f"these runs cannot be compared: different {what}, A has {mine} and B has {other}"
            )
    if not set(first.metrics) & set(second.metrics):
        protocols = f"A has {', '.join(first.metrics)} and B has {', '.join(second.metrics)}"
        raise InputError(f"these runs cannot be compared: different protocols, {protocols}")


def _order_like(scores: list[ImageScore], others: list[ImageScore], first: Path, second: Path) -> list[int]:
    """Return, for each of A's images, its row in B."""
    rows = {score.id: row for row, score in enumerate(others)}
    unknown = sorted({score.id for score in scores} ^ set(rows))
    if unknown or len(rows) != len(others) or len(scores) != len(others):
        example = f", such as {unknown[0]}" if unknown else ""
        raise InputError(
            f"{first} and {second} did not score the same images: {len(unknown)} differ{example}"
        )
    order = [rows[score.id] for score in scores]
    for score, row in zip(scores, order, strict=True):
        if (score.label, score.class_name) != (others[row].label, others[row].class_name):
            raise InputError(f"{first} and {second} disagree on the label or class of {score.id}")
        if not (np.isfinite(score.score) and np.isfinite(others[row].score)):
            raise InputError(f"the score of {score.id} is not a finite number in {first} or {second}")
    return order


def _previews(
    first: Path, second: Path, order: list[int], mapless: list[Path]
) -> tuple[list[Previews | None], list[str]]:
    """Return both runs' previews in A's order, or none and a note on why there are no pixel metrics.

    ``mapless`` are those of the two that are of image scores alone.
    """
    note = f"A and B are the records' values; B − A and intervals are recomputed under {RESAMPLED}"
    if mapless:
        return [None, None], [note, f"no pixel metrics: {' and '.join(map(str, mapless))}: {NO_MAPS}"]
    try:
        ours, theirs = read_previews(first), read_previews(second)
    except InputError as error:
        return [None, None], [note, f"no pixel metrics: {error}"]
    if len(ours.maps) != len(order) or len(theirs.maps) != len(order):
        raise InputError(f"{first} or {second}: not as many previews as scores; run or score it again")
    if not np.array_equal(ours.masks, theirs.masks[order]):
        raise InputError(
            f"{first} and {second} have different masks under the same dataset hash; score both again"
        )
    note += f", those of pixels from {PREVIEW_SIZE}×{PREVIEW_SIZE} previews"
    return [ours, Previews(theirs.maps[order], theirs.masks[order])], [note]


def _members(scores: list[ImageScore]) -> dict[str, RowNumbers]:
    """Return the rows of the anomalous images of every group, and of all of them."""
    members: dict[str, list[int]] = {EVERYTHING: []}
    for row, score in enumerate(scores):
        if score.label:
            members[EVERYTHING].append(row)
            for group in score.groups:
                members.setdefault(group, []).append(row)
    if not members[EVERYTHING] or len(members[EVERYTHING]) == len(scores):
        raise InputError(
            "these runs cannot be compared: their test set has not both normal and anomalous images"
        )
    return {name: np.array(members[name], np.int64) for name in sorted(members)}


def _recorded(
    records: tuple[Record, Record], group: str, protocol: str, metrics: Iterable[str]
) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    """Yield each metric with both records' values of a group (or of everything)."""
    found = [
        (record.per_group.get(group, {}) if group else record.metrics).get(protocol, {}) for record in records
    ]
    for metric in metrics:
        yield metric, (found[0].get(metric), found[1].get(metric))
