"""Runs gathered by the test set they were scored on, with what they left beside their records."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmark.report.svg import LARGEST
from benchmark.runs.collect import Run
from benchmark.runs.evaluations import Look, read_evaluations
from benchmark.runs.outputs import ImageScore, read_curves, read_scores
from benchmark.runs.record import TRAIN_LOG_FILE, Record
from cocoad.base.errors import InputError

MOST_POINTS = 10_000  # of a curve or a log that are read
MOST_METHODS = 16  # of a test set that are drawn, the best; and runs of each
MOST_SEEDS = 3
LOGGED = ("epoch", "loss", "learning_rate", "images_per_s")

Read = TypeVar("Read")


@dataclass(frozen=True)
class ShownRun:
    """A run; runs that differ in the seed alone share ``label`` and ``style``, its colour on the whole page."""

    label: str
    style: int
    directory: Path
    record: Record
    scores: list[ImageScore]
    curves: dict[str, Any]  # kind -> class -> column -> numbers
    log: list[dict[str, float]]
    looks: list[Look]  # at the test set during the training

    @property
    def seed(self) -> str:
        """The seed in words; empty where there was none."""
        return "" if self.record.seed is None else f"seed {self.record.seed}"

    def curve(self, kind: str, class_name: str, x: str, y: str) -> list[tuple[float, float]]:
        """Return a curve's points; empty where the file has none that make sense."""
        columns = self.curves.get(kind)
        columns = columns.get(class_name) if isinstance(columns, dict) else None
        if not isinstance(columns, dict):
            return []
        first, second = columns.get(x), columns.get(y)
        if not isinstance(first, list) or not isinstance(second, list) or len(first) != len(second):
            return []
        pairs = zip(first[:MOST_POINTS], second[:MOST_POINTS], strict=True)
        return [(float(a), float(b)) for a, b in pairs if _is_number(a) and _is_number(b)]

    def best_threshold(self, class_name: str) -> float | None:
        """Return the score above which pixels are called anomalous when F1 is at its highest."""
        points = self.curve("f1_iou", class_name, "threshold", "f1")
        return max(points, key=lambda point: point[1])[0] if points else None


@dataclass(frozen=True)
class ShownMethod:
    """Runs that differ in the seed alone."""

    label: str
    style: int
    runs: list[ShownRun]


@dataclass(frozen=True)
class RunsOnTestSet:
    """Runs on one dataset, split, resolution and version of the data: only these stand side by side."""

    title: str
    hash: str
    runs: list[ShownRun]
    records: list[Run]  # of all runs, drawn or not

    @property
    def methods(self) -> list[ShownMethod]:
        """Return the runs that are drawn, by what tells them apart but the seed, the best first."""
        found: dict[str, list[ShownRun]] = {}
        for run in self.runs:
            found.setdefault(run.label, []).append(run)
        return [ShownMethod(label, runs[0].style, runs) for label, runs in found.items()]

    @property
    def classes(self) -> list[str]:
        """Return all classes that a run has curves of."""
        names = {str(name) for run in self.runs for kind in run.curves.values()
                 if isinstance(kind, dict) for name in kind}  # fmt: skip
        return sorted(names)


class Styles:
    """Numbers for labels, in the order in which they are first asked for."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, label: str) -> int:
        """Return the label's number."""
        return self._numbers.setdefault(label, len(self._numbers))


def test_sets(runs: Sequence[Run], styles: Styles, notes: list[str]) -> Iterator[RunsOnTestSet]:
    """Yield the runs of every test set; what a run lacks is added to ``notes``."""
    groups: dict[tuple[str, str, str, str, str, str], list[Run]] = {}
    for run in runs:
        data = run.record.dataset
        split = "" if data.split is None else str(data.split)
        size = str(data.resolution)
        key = (data.name, split, data.layout, size, ";".join(data.classes), data.hash)
        groups.setdefault(key, []).append(run)
    for key in sorted(groups):
        members = sorted(groups[key], key=lambda run: (run.record.method.name, str(run.directory)))
        labels = dict(zip((run.directory for run in members), _labels(members), strict=True))
        name, split, layout, size, _, digest = key
        where = f"{name}{f', split {split}' if split else ''}, {size} px"
        twins = [other for other in groups if other != key and other[:2] == key[:2] and other[3] == size]
        told_apart = f" ({layout}, data {digest[:8]})" if twins else ""
        title = where + told_apart
        drawn = _drawn(members, labels)
        if len(drawn) < len(members):
            notes.append(
                f"{title}: {len(drawn)} of {len(members)} runs are drawn, the {MOST_METHODS} best methods with "
                f"{MOST_SEEDS} seeds each; all are in the leaderboard"
            )
        shown = [_shown(run, labels[run.directory], styles.of(labels[run.directory]), notes) for run in drawn]
        yield RunsOnTestSet(title, digest, shown, members)


def _drawn(members: Sequence[Run], labels: Mapping[Path, str]) -> list[Run]:
    """Return the runs that are drawn: of the methods with the best mAD, some seeds each."""
    by_label: dict[str, list[Run]] = {}
    for run in members:
        by_label.setdefault(labels[run.directory], []).append(run)
    best = sorted(by_label, key=lambda label: -max(mad_of(run.record) for run in by_label[label]))
    return [run for label in best[:MOST_METHODS] for run in by_label[label][:MOST_SEEDS]]


def mad_of(record: Record) -> float:
    """Return a record's mAD under ``ader`` or whatever protocol it has; below all others where it has none."""
    found = record.metrics.get("ader") or next(iter(record.metrics.values()), {})
    mad = found.get("mad")
    return -1.0 if mad is None else mad


def _shown(run: Run, label: str, style: int, notes: list[str]) -> ShownRun:
    scores = _or_note(read_scores, run.directory, notes)
    curves = _or_note(read_curves, run.directory, notes)
    looks = _or_note(read_evaluations, run.directory, notes)
    log = _log(run.directory)
    return ShownRun(label, style, run.directory, run.record, scores or [], curves or {}, log, looks or [])


def _or_note(read: Callable[[Path], Read], directory: Path, notes: list[str]) -> Read | None:
    try:
        return read(directory)
    except InputError as error:
        notes.append(str(error))
        return None


def _log(directory: Path) -> list[dict[str, float]]:
    """Return the rows of ``train_log.csv`` that are numbers; none when there is no such file."""
    rows = []
    try:
        with (directory / TRAIN_LOG_FILE).open(newline="", encoding="utf-8", errors="replace") as stream:
            for _, row in zip(range(MOST_POINTS), csv.DictReader(stream), strict=False):
                rows.append({name: _number(row.get(name)) for name in LOGGED})
    except (OSError, csv.Error):
        return []
    return rows


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _labels(runs: Sequence[Run]) -> list[str]:
    """Return the methods' names, with what but the seed tells runs of one method apart: at last their folders."""
    every: dict[str, list[dict[str, str]]] = {}
    for run in runs:
        every.setdefault(run.record.method.name, []).append(_details(run.record))
    differ = {
        name: [key for key in found[0] if len({details[key] for details in found}) > 1]
        for name, found in every.items()
    }
    labels = []
    for run in runs:
        name, own = run.record.method.name, _details(run.record)
        told = [own[key] for key in differ[name] if own[key]]
        labels.append(f"{name} ({', '.join(told)})" if told else name)
    seeded = [(label, run.record.seed) for label, run in zip(labels, runs, strict=True)]
    counts = Counter(seeded)
    return [
        f"{label} [{run.directory.name}]" if counts[label, run.record.seed] > 1 else label
        for run, label in zip(runs, labels, strict=True)
    ]


def _details(record: Record) -> dict[str, str]:
    method = record.method
    return {
        "backbone": method.backbone or "",
        "weights": method.weights,
        "preset": record.preset or "",
        "epochs": "" if record.epochs is None else f"{record.epochs} epochs",
        "options": json.dumps(method.options, sort_keys=True) if method.options else "",
        "version": "" if method.version is None else f"version {method.version}",
    }
