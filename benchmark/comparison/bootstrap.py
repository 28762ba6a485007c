"""The paired bootstrap over images, vectorised: metrics of many resamples at once from counts per score.

A resample gives every image a weight: how often it was drawn. Counts per score are sums over images, so the
counts of a resample are weighted sums, and all metrics of ranks follow from them. Everywhere B is resamples,
N images, K bins **in descending order of score**.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.metrics.ranking import FPR_LIMIT
from benchmark.metrics.regions import region_weights

Floats = npt.NDArray[np.float64]
PIXEL_BINS = 512


@dataclass(frozen=True)
class Counts:
    """Normal and anomalous items per bin, (B, K); for pixels also region overlaps (B, K) and regions (B,)."""

    normal: Floats
    anomalous: Floats
    overlap: Floats | None = None
    regions: Floats | None = None

    def plus(self, other: Counts) -> Counts:
        """Return the sum of two counts over the same bins."""
        pairs = [(self.overlap, other.overlap), (self.regions, other.regions)]
        both = [None if mine is None or more is None else mine + more for mine, more in pairs]
        return Counts(self.normal + other.normal, self.anomalous + other.anomalous, *both)


def draw_weights(strata: Sequence[object], samples: int, seed: int) -> npt.NDArray[np.float32]:
    """Return how often each image is drawn: (1 + samples, N); the first row is ones, the test set itself.

    Images are drawn with replacement within their stratum (class and label): how many images of a class are
    normal is a property of the benchmark, not of chance, and no resample lacks one kind.
    """
    generator = np.random.default_rng(seed)
    _, owners = np.unique(np.asarray([str(stratum) for stratum in strata]), return_inverse=True)
    weights = np.ones((1 + samples, len(strata)), np.float32)
    for stratum in range(owners.max(initial=-1) + 1):
        members = np.flatnonzero(owners == stratum)
        even = np.full(members.size, 1 / members.size)
        weights[1:, members] = generator.multinomial(members.size, even, size=samples)
    return weights


class ImageScores:
    """Image scores (N,) and labels (N,), to be counted under weights."""

    def __init__(self, scores: Floats, labels: npt.NDArray[np.int64]) -> None:
        self.scores = scores
        self.labels = labels

    def counts(self, weights: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> Counts:
        """Count the images ``rows`` per distinct score under ``weights`` (B, N)."""
        order = rows[np.argsort(-self.scores[rows], kind="stable")]
        starts = np.flatnonzero(np.r_[True, np.diff(self.scores[order]) != 0])
        chosen = weights[:, order].astype(np.float64)
        anomalous = self.labels[order].astype(np.float64)
        return Counts(
            np.add.reduceat(chosen * (1 - anomalous), starts, axis=1),
            np.add.reduceat(chosen * anomalous, starts, axis=1),
        )


class PixelCounts:
    """Per-image counts of pixels over bins that are fine where normal and where anomalous pixels lie.

    Args:
        maps: float32, (N, h, w).
        masks: bool, (N, h, w).
    """

    def __init__(
        self, maps: npt.NDArray[np.float32], masks: npt.NDArray[np.bool_], bins: int = PIXEL_BINS
    ) -> None:
        images, size = len(maps), maps[0].size
        anomalous = maps[masks]
        quantiles = np.linspace(0, 1, bins // 2 + 1)[1:-1]
        kinds = [kind for kind in (anomalous, maps[~masks]) if kind.size]
        edges = np.unique(np.concatenate([np.quantile(kind, quantiles) for kind in kinds]).astype(np.float32))
        self.bins = edges.size + 1
        keys = edges.size - np.searchsorted(edges, maps.reshape(images, size), side="left")  # descending
        keys += np.arange(images)[:, None] * self.bins
        shape = (images, self.bins)
        flat = masks.reshape(images, size)
        self.normal = self._table(keys[~flat], None, shape)
        self.anomalous = self._table(keys[flat], None, shape)
        self.regions = np.zeros(images)
        shares = np.zeros((images, size))
        for index in np.flatnonzero(flat.any(axis=1)):
            where, weights, self.regions[index] = region_weights(masks[index])
            shares[index, where] = weights
        self.overlap = self._table(keys[flat], shares[flat], shape)

    @staticmethod
    def _table(keys: npt.NDArray[np.int64], weights: Floats | None, shape: tuple[int, int]) -> Floats:
        return np.bincount(keys, weights, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float32)

    def counts(self, weights: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> Counts:
        """Count the pixels of the images ``rows`` per bin under ``weights`` (B, N)."""
        chosen = weights[:, rows]
        tables = (self.normal, self.anomalous, self.overlap)
        normal, anomalous, overlap = ((chosen @ table[rows]).astype(np.float64) for table in tables)
        return Counts(normal, anomalous, overlap, chosen @ self.regions[rows])


def metrics_of(counts: Counts) -> dict[str, Floats]:
    """Return ``auroc``, ``ap``, ``f1_max``, ``iou_max`` and, where regions are counted, ``aupro``; each (B,).

    These are the definitions of the ``exact`` protocol with every bin as one threshold; NaN where undefined.
    """
    false = np.cumsum(counts.normal, axis=1)
    true = np.cumsum(counts.anomalous, axis=1)
    normal, anomalous = false[:, -1:], true[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = normal - false + counts.normal / 2
        auroc = (counts.anomalous * below).sum(axis=1) / (normal * anomalous)[:, 0]
        precision = true / np.maximum(true + false, 1e-12)
        found = {
            "auroc": auroc,
            "ap": (counts.anomalous * precision).sum(axis=1) / anomalous[:, 0],
            "f1_max": (2 * true / (anomalous + true + false)).max(axis=1),
            "iou_max": (true / (anomalous + false)).max(axis=1),
        }
        if counts.overlap is not None and counts.regions is not None:
            overlap = np.cumsum(counts.overlap, axis=1) / counts.regions[:, None]
            found["aupro"] = _area(false / normal, overlap)
    undefined = (normal[:, 0] == 0) | (anomalous[:, 0] == 0)
    return {name: np.where(undefined, np.nan, values) for name, values in found.items()}


def _area(rates: Floats, overlaps: Floats) -> Floats:
    """Return the area under overlap against false-positive rate up to AUPRO's limit, divided by it."""
    zero = np.zeros((len(rates), 1))
    left, right = np.hstack([zero, rates[:, :-1]]), rates
    start, end = np.hstack([zero, overlaps[:, :-1]]), overlaps
    width = np.minimum(right, FPR_LIMIT) - np.minimum(left, FPR_LIMIT)
    share = np.divide(width, right - left, out=np.zeros_like(width), where=right > left)
    area: Floats = (width * (start + (start + (end - start) * share)) / 2).sum(axis=1) / FPR_LIMIT
    return area


@dataclass(frozen=True)
class Interval:
    """A difference, its 95 % percentile interval and the two-sided p of no difference; NaN: undefined."""

    difference: float
    low: float
    high: float
    p: float


def interval(first: Floats, second: Floats) -> Interval:
    """Return ``second - first``, given under the same resamples (B,); row 0 is the test set itself."""
    differences = second - first
    drawn = differences[1:][np.isfinite(differences[1:])]
    if not np.isfinite(differences[0]) or not drawn.size:
        return Interval(float("nan"), float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(drawn, (0.025, 0.975))
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Interval(
        float(differences[0]), float(low), float(high), min(1.0, 2 * (1 + tail) / (1 + drawn.size))
    )
