"""One run under many resamples of its test images: every metric, overall and by group, class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmark.comparison.bootstrap import Floats, ImageScores, PixelCounts, metrics_of
from benchmark.metrics import AGGREGATES
from benchmark.runs.outputs import ImageScore, Previews

IMAGE = {"image_auroc": "auroc", "image_ap": "ap", "image_f1_max": "f1_max"}
PIXEL = {
    "pixel_auroc": "auroc",
    "pixel_ap": "ap",
    "pixel_f1_max": "f1_max",
    "pixel_iou_max": "iou_max",
    "aupro": "aupro",
}
CHUNK = 250  # resamples at a time

Values = dict[str, Floats]  # metric -> one value per resample
RowNumbers = npt.NDArray[np.int64]


class _Class:
    """The images of one class: which rows they are, and their pixels' counts."""

    def __init__(self, rows: RowNumbers, labels: npt.NDArray[np.int64], previews: Previews | None) -> None:
        self.rows = rows
        self.normal = rows[labels[rows] == 0]
        self.anomalous = rows[labels[rows] == 1]
        self.pixels = PixelCounts(previews.maps[rows], previews.masks[rows]) if previews else None

    def local(self, rows: RowNumbers) -> RowNumbers:
        return np.searchsorted(self.rows, rows)


class ResampledRun:
    """A run's scores and, when there are any, its previews, in the same order of images.

    Args:
        scores: N image scores.
        previews: N small maps and masks, or None: image metrics only.
    """

    def __init__(self, scores: Sequence[ImageScore], previews: Previews | None) -> None:
        labels = np.array([score.label for score in scores], np.int64)
        names = np.array([score.class_name for score in scores])
        self._images = ImageScores(np.array([score.score for score in scores], np.float64), labels)
        self._classes = [_Class(np.flatnonzero(names == name), labels, previews) for name in np.unique(names)]

    def evaluate(
        self,
        weights: npt.NDArray[np.float32],
        groups: Mapping[str, RowNumbers],
        advance: Callable[[int], None],
    ) -> dict[str, Values]:
        """Return each group's metrics under each row of ``weights`` (B, N), classes averaged.

        ``advance`` is called with the number of resamples done since the last call.

        A group is the rows of its anomalous images; its metrics are over them and all normal images of the
        classes that they are of.
        """
        parts: list[dict[str, Values]] = []
        for start in range(0, len(weights), CHUNK):
            chunk = weights[start : start + CHUNK]
            parts.append(self._evaluate(chunk, groups))
            advance(len(chunk))
        return {
            group: {
                metric: np.concatenate([part[group][metric] for part in parts]) for metric in parts[0][group]
            }
            for group in groups
        }

    def _evaluate(
        self, weights: npt.NDArray[np.float32], groups: Mapping[str, RowNumbers]
    ) -> dict[str, Values]:
        per_class: dict[str, list[Values]] = {group: [] for group in groups}
        for one in self._classes:
            local = np.ascontiguousarray(weights[:, one.rows])
            normal = one.pixels.counts(local, one.local(one.normal)) if one.pixels else None
            for group, members in groups.items():
                chosen = np.intersect1d(members, one.anomalous)
                if not chosen.size:
                    continue
                counts = self._images.counts(weights, np.concatenate([one.normal, chosen]))
                found = metrics_of(counts)
                values = {name: found[metric] for name, metric in IMAGE.items()}
                if one.pixels and normal:
                    found = metrics_of(normal.plus(one.pixels.counts(local, one.local(chosen))))
                    values |= {name: found[metric] for name, metric in PIXEL.items()}
                per_class[group].append(values)
        return {group: _averaged(values) for group, values in per_class.items()}


def _averaged(classes: Sequence[Values]) -> Values:
    """Return the mean over classes of every metric, and the means of metrics that can be had."""
    values = {name: np.mean([one[name] for one in classes], axis=0) for name in classes[0]}
    for mean, parts in AGGREGATES.items():
        if all(part in values for part in parts):
            values[mean] = np.mean([values[part] for part in parts], axis=0)
    return values
