"""The gallery: which images tell most about the methods on a test set, and how each method saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.report.pictures import NoPictureError, heatmap, map_outline, mask_outline, thumbnail
from benchmark.report.testsets import ShownRun
from benchmark.runs.outputs import ImageScore, Previews, read_previews
from cocoad.base.errors import InputError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """How a method saw an image; ``beyond`` is the share of normal images that score lower."""

    label: str
    style: int
    score: float
    beyond: float
    heatmap: str
    outline: str


@dataclass(frozen=True)
class Exhibit:
    """An image with its ground truth and all methods' views of it; ``missing`` says why there is no thumbnail."""

    name: str
    groups: str
    anomalous: bool
    thumbnail: str | None
    missing: str
    truth: str
    views: list[View]


@dataclass(frozen=True)
class Wall:
    """Exhibits that were chosen for one reason."""

    title: str
    why: str
    exhibits: list[Exhibit]


@dataclass(frozen=True)
class _Seen:
    """A run's previews and scores in the order of the images that all runs share."""

    run: ShownRun
    previews: Previews
    scores: FloatArray
    beyond: FloatArray
    thresholds: list[float | None]  # per image, its class's
    spans: dict[str, tuple[float, float]]  # per class, what is dark and what is bright


def gallery(runs: Sequence[ShownRun], per_wall: int, images: bool, notes: list[str]) -> list[Wall]:
    """Return up to four walls of ``per_wall`` exhibits; what cannot be shown is added to ``notes``.

    Args:
        runs: on one test set.
        per_wall: exhibits per wall at most.
        images: show the photographs too, where the files are still there.
        notes: hears of runs without previews.
    """
    loaded = [(run, previews) for run in runs if (previews := _previews(run, notes)) is not None]
    if not loaded:
        return []
    shared = set.intersection(*({row.id for row in run.scores} for run, _ in loaded))
    rows = [row for row in loaded[0][0].scores if row.id in shared]
    if not rows:
        notes.append(f"{loaded[0][0].directory}: no image that all runs of its test set share, so no gallery")
        return []
    seen = [_seen(run, previews, rows) for run, previews in loaded]
    del loaded
    masks = seen[0].previews.masks
    walls = []
    for title, why, chosen in _choose(rows, seen, per_wall):
        exhibits = [_exhibit(rows[index], index, seen, masks[index], images) for index in chosen]
        if exhibits:
            walls.append(Wall(title, why, exhibits))
    return walls


def _previews(run: ShownRun, notes: list[str]) -> Previews | None:
    if not run.scores:
        return None
    try:
        previews = read_previews(run.directory)
    except InputError as error:
        notes.append(str(error))
        return None
    if len(previews.maps) != len(run.scores):
        notes.append(f"{run.directory}: not as many previews as scores, so it is not in the gallery")
        return None
    return previews


def _seen(run: ShownRun, previews: Previews, rows: Sequence[ImageScore]) -> _Seen:
    places = {row.id: index for index, row in enumerate(run.scores)}
    order = [places[row.id] for row in rows]
    chosen = previews
    if order != list(range(len(previews.maps))):
        chosen = Previews(previews.maps[order], previews.masks[order])
    names = np.array([row.class_name for row in rows])
    normal = np.array([not row.label for row in rows])
    scores = np.array([run.scores[index].score for index in order], float)
    beyond = np.full(len(rows), 0.5)
    spans = {}
    for name in np.unique(names):
        mine = names == name
        reference = np.sort(scores[mine & normal])
        if reference.size:
            beyond[mine] = np.searchsorted(reference, scores[mine]) / reference.size
        low, high = np.percentile(chosen.maps[mine], (2, 99))
        spans[str(name)] = (float(low), float(high))
    best = {str(name): run.best_threshold(str(name)) for name in np.unique(names)}
    return _Seen(run, chosen, scores, beyond, [best[row.class_name] for row in rows], spans)


def _choose(
    rows: Sequence[ImageScore], seen: Sequence[_Seen], per_wall: int
) -> list[tuple[str, str, list[int]]]:
    """Return title, reason and places of each wall's images; an image hangs on one wall only."""
    labels = np.array([row.label for row in rows], bool)
    overlap = np.mean([_overlap(one) for one in seen], axis=0)
    beyond = np.mean([one.beyond for one in seen], axis=0)
    size = seen[0].previews.masks.mean(axis=(1, 2))
    masked = labels & (size > 0)
    plans = (
        ("False alarms", "normal images that score above the most other normal ones", ~labels, -beyond),
        ("Misses", "anomalous images that score like the most normal ones, large regions first",
         masked, beyond - 0.5 * np.sqrt(size)),
        ("Best", "the outlined regions overlap most with the ground truth", masked, -overlap),
        ("Worst", "the outlined regions overlap least with the ground truth", masked, overlap),
    )  # fmt: skip
    taken: set[int] = set()
    walls = []
    for title, why, wanted, order in plans:
        ranked = [int(index) for index in np.argsort(order, kind="stable") if wanted[index]]
        chosen = [index for index in ranked if index not in taken][:per_wall]
        taken.update(chosen)
        walls.append((title, why, chosen))
    return walls


def _overlap(one: _Seen) -> FloatArray:
    """Return per image the IoU of previews above the best-F1 threshold and masks (0 without a threshold)."""
    limits = np.array([np.inf if limit is None else limit for limit in one.thresholds])
    found = one.previews.maps >= limits[:, None, None]
    both = (found & one.previews.masks).sum(axis=(1, 2))
    either = (found | one.previews.masks).sum(axis=(1, 2))
    overlaps: FloatArray = both / np.maximum(either, 1)
    return overlaps


def _exhibit(
    row: ImageScore, index: int, seen: Sequence[_Seen], mask: npt.NDArray[np.bool_], images: bool
) -> Exhibit:
    views = []
    for one in seen:
        values, limit = one.previews.maps[index], one.thresholds[index]
        views.append(
            View(
                label=one.run.label,
                style=one.run.style,
                score=float(one.scores[index]),
                beyond=float(one.beyond[index]),
                heatmap=heatmap(values, *one.spans[row.class_name]),
                outline="" if limit is None else map_outline(values, limit),
            )
        )
    shown, missing = None, "photographs were left out"
    if images:
        try:
            shown, missing = thumbnail(Path(row.image.replace("\0", ""))), ""
        except NoPictureError as error:
            missing = str(error)
    groups = ", ".join(group.partition(":")[2] or group for group in row.groups)
    return Exhibit(row.id, groups, bool(row.label), shown, missing, mask_outline(mask), views)
