"""Counts by score: the form from which every metric is computed, be it from sorted pixels or bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmark.metrics.histogram import ANOMALOUS, NORMAL, OVERLAP, Histogram
from benchmark.metrics.keys import BoolArray, FloatArray, bin_edges

_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
InBin = Literal["even", "best", "worst"]  # how the pixels of a bin are thought to lie in it


@dataclass(frozen=True)
class ScoreCounts:
    """How many pixels lie at each score, in ascending order of score; all arrays float64, (S,).

    ``low`` and ``high`` bound each entry: equal for a distinct score, the edges for a bin. ``overlap`` is
    the sum of region weights, ``regions`` their number; ``minimum`` and ``maximum`` are the exact extremes.
    """

    low: FloatArray
    high: FloatArray
    normal: FloatArray
    anomalous: FloatArray
    overlap: FloatArray
    regions: int
    minimum: float
    maximum: float

    @property
    def binned(self) -> BoolArray:
        """Which entries are bins, the order within which is unknown (bool, (S,))."""
        return self.high > self.low

    @cached_property
    def from_the_top(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Normal pixels, anomalous pixels and overlap at or above each entry, from the highest down (S,)."""
        normal, anomalous, overlap = (
            np.cumsum(amounts[::-1]) for amounts in (self.normal, self.anomalous, self.overlap)
        )
        return normal, anomalous, overlap

    def ordered(self, side: InBin) -> ScoreCounts:
        """Return counts of distinct ranks: each bin split in two, anomalous pixels above normal ones or below.

        No order of the pixels within their bins gives a higher ("best") or lower ("worst") value of a metric of
        ranks: the two bracket the value of the unbinned scores. "even" returns the counts as they are.
        """
        if side == "even":
            return self
        bins = self.binned
        lower = self.normal if side == "best" else self.anomalous

        def split(amounts: FloatArray) -> FloatArray:
            first = np.where(bins, amounts if amounts is lower else 0.0, amounts)
            return np.stack([first, amounts - first], axis=1).reshape(-1)

        first = np.where(bins & (lower is self.normal), 0.0, self.overlap)
        return replace(
            self,
            low=np.repeat(self.low, 2),
            high=np.repeat(self.low, 2),
            normal=split(self.normal),
            anomalous=split(self.anomalous),
            overlap=np.stack([first, self.overlap - first], axis=1).reshape(-1),
        )

    def above(
        self, thresholds: FloatArray, side: InBin = "even"
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Count what lies strictly above each threshold (score units, (T,)).

        Returns:
            Normal pixels, anomalous pixels and overlap, each float64 (T,). A bin that holds the threshold
            counts by the share of its width above it ("even"), or only its anomalous ("best") or normal
            ("worst") part.
        """
        entry = np.searchsorted(self.high, thresholds, side="right")
        inside = np.minimum(entry, self.low.size - 1)
        width = self.high[inside] - self.low[inside]
        split = (entry < self.low.size) & (self.low[inside] <= thresholds) & (width > 0)
        share = (self.high[inside] - thresholds) / np.where(split, width, 1.0)
        none, whole = np.zeros_like(share), np.ones_like(share)
        parts = {"even": (share, share), "best": (none, whole), "worst": (whole, none)}[side]
        of_normal, of_anomalous = (np.where(split, part, 1.0) for part in parts)
        normal, anomalous, overlap = self.from_the_top
        return (
            _above(self.normal, normal, entry, of_normal),
            _above(self.anomalous, anomalous, entry, of_anomalous),
            _above(self.overlap, overlap, entry, of_anomalous),
        )


def _above(
    amounts: FloatArray, from_the_top: FloatArray, entry: npt.NDArray[Any], share: FloatArray
) -> FloatArray:
    """Sum the amounts after ``entry``, and ``share`` of its own; nothing where it is after the last."""
    last = amounts.size - 1
    after = np.where(entry < last, from_the_top[np.maximum(last - 1 - entry, 0)], 0.0)
    within = np.where(entry <= last, share * amounts[np.minimum(entry, last)], 0.0)
    result: FloatArray = after + within
    return result


def counts_from_scores(
    normal: Sequence[npt.NDArray[Any]],
    anomalous: Sequence[npt.NDArray[Any]],
    weights: Sequence[FloatArray],
    regions: int,
) -> ScoreCounts:
    """Count scores exactly: every distinct score is an entry.

    Args:
        normal, anomalous: flat arrays of scores (any float dtype).
        weights: region weights of ``anomalous``, in its order.
        regions: their number.

    >>> counts = counts_from_scores([np.array([1.0, 1.0])], [np.array([2.0, 1.0])], [np.array([0.5, 0.5])], 1)
    >>> counts.low.tolist(), counts.normal.tolist(), counts.anomalous.tolist()
    ([1.0, 2.0], [2.0, 0.0], [1.0, 1.0])
    """
    scores, amounts = np.unique(_joined(normal), return_counts=True)
    return _counted(scores, amounts, _joined(anomalous), _joined(weights), regions)


def condensed_counts(
    normal: Sequence[FloatArray],
    anomalous: Sequence[npt.NDArray[Any]],
    weights: Sequence[FloatArray],
    regions: int,
    extremes: tuple[float, float],
    places_told_apart: Callable[[FloatArray], npt.NDArray[np.intp]],
) -> ScoreCounts:
    """Count scores in far fewer entries, from which every metric is the same; curves have fewer points.

    Normal scores are one entry, at the highest of them, unless an anomalous score or a threshold lies between them.

    Args:
        normal: flat arrays of scores, each ascending.
        anomalous, weights, regions: as of :func:`counts_from_scores`.
        extremes: the smallest and the largest of all scores.
        places_told_apart: where ascending scores are cut by thresholds.
    """
    bad = _joined(anomalous)
    own = np.unique(bad).astype(np.float64)
    tops, amounts = [np.zeros(0)], [np.zeros(0, np.intp)]
    for scores in normal:
        beside = [np.searchsorted(scores, own, side) for side in _SIDES]
        places = np.unique(np.concatenate([[0, scores.size], *beside, places_told_apart(scores)]))
        tops.append(scores[places[1:] - 1])
        amounts.append(np.diff(places))
    entries, owners = np.unique(np.concatenate(tops), return_inverse=True)
    totals = np.bincount(owners, np.concatenate(amounts), entries.size)
    return replace(
        _counted(entries, totals, bad, _joined(weights), regions), minimum=extremes[0], maximum=extremes[1]
    )


def _counted(
    normal_scores: npt.NDArray[Any],
    amounts: npt.NDArray[Any],
    anomalous: npt.NDArray[Any],
    weights: FloatArray,
    regions: int,
) -> ScoreCounts:
    """Bring distinct ``normal_scores``, so many of each, and ``anomalous`` ones together."""
    anomalous_scores, owners = np.unique(anomalous, return_inverse=True)
    low = np.unique(np.concatenate([normal_scores, anomalous_scores]))
    totals = np.zeros((3, low.size))
    totals[NORMAL, np.searchsorted(low, normal_scores)] = amounts
    where = np.searchsorted(low, anomalous_scores)
    totals[ANOMALOUS, where] = np.bincount(owners, minlength=where.size)
    totals[OVERLAP, where] = np.bincount(owners, weights, minlength=where.size)
    edges = low.astype(np.float64)
    extremes = (float(edges[0]), float(edges[-1])) if edges.size else (np.nan, np.nan)
    normal, bad, overlap = totals
    return ScoreCounts(edges, edges, normal, bad, overlap, regions, *extremes)


def counts_from_bins(histogram: Histogram, regions: int, minimum: float, maximum: float) -> ScoreCounts:
    """Count by bin; ``minimum`` and ``maximum`` are the scores' exact extremes, to which edges are cut."""
    bins, contents = histogram.occupied()
    low, high = bin_edges(bins, histogram.bits)
    return ScoreCounts(
        low=np.maximum(low, minimum),
        high=np.minimum(high, maximum),
        normal=contents[NORMAL],
        anomalous=contents[ANOMALOUS],
        overlap=contents[OVERLAP],
        regions=regions,
        minimum=minimum,
        maximum=maximum,
    )


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)
