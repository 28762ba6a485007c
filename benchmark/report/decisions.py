"""Sliders over the threshold of images: what each method misses and raises at it, counted and named in the browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from benchmark.report.testsets import ShownRun
from benchmark.runs.listing import rate_text

MOST_NAMED = 2_000  # images whose names are part of the page
MOST_IMAGES = 20_000  # whose scores are


@dataclass(frozen=True)
class Mark:
    """A threshold of the run's record: where the slider stands at it, and what it does."""

    place: int
    said: str


@dataclass(frozen=True)
class Slider:
    """A method's image scores, ascending, as JSON rows of (score, label, name).

    The slider has a place between each two: at place k the k lowest scores are called normal.
    """

    label: str
    style: int
    rows: str
    images: int
    start: int
    marks: list[Mark]


def sliders(runs: Sequence[ShownRun]) -> list[Slider]:
    """Return a slider for each run whose images are of both kinds and not too many."""
    found = []
    for run in runs:
        labels = {row.label for row in run.scores}
        if labels == {0, 1} and len(run.scores) <= MOST_IMAGES:
            found.append(_slider(run))
    return found


def _slider(run: ShownRun) -> Slider:
    scores = sorted(run.scores, key=lambda row: row.score)
    named = len(scores) <= MOST_NAMED
    rows = [[float(f"{row.score:.7g}"), row.label, *([_short(row.id)] if named else [])] for row in scores]
    marks = [
        Mark(
            sum(row.score <= each.value for row in scores),
            f"{each.rule}, {each.value:.6g} (from the {each.fitted_on}): misses {rate_text(each.missed)}, "
            f"raises {rate_text(each.false_alarms)}",
        )
        for each in run.record.thresholds
        if each.level == "image"
    ]
    start = marks[0].place if marks else len(scores) // 2
    return Slider(run.label, run.style, json.dumps(rows), len(scores), start, marks)


def _short(ident: str) -> str:
    return "/".join(PurePath(ident).parts[-2:])
