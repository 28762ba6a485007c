"""Curves for figures and for choosing a threshold: from the same counts as the metrics, thinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmark.metrics.counts import ScoreCounts
from benchmark.metrics.keys import FloatArray
from benchmark.metrics.ranking import f1, iou

MOST_POINTS = 1000

Curve = dict[str, list[float]]
Curves = dict[str, dict[str, Curve]]  # kind, class


def thinned(lines: Sequence[tuple[FloatArray, FloatArray]], most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """Choose at most ``most`` of the points that several curves share, both ends among them.

    Points are taken at equal steps of the length of the path along which all coordinates move together (each
    |Δ| summed), so that no line is cut short by more than one step in any direction: an area moves by less
    than 1e-4 with 1,000 points.
    """
    size = lines[0][0].size
    if size <= most:
        return np.arange(size)
    steps = sum(np.abs(np.diff(values)) for line in lines for values in line)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    goals = np.linspace(0, travelled[-1], most)
    return np.unique(np.clip(np.searchsorted(travelled, goals), 0, size - 1))


def pixel_curves(counts: ScoreCounts) -> dict[str, Curve]:
    """Return ``roc``, ``pr``, ``pro`` and ``f1_iou`` of pixels: at most 1,000 numbers per coordinate."""
    fp, tp, overlap = counts.from_the_top
    positives, negatives = float(counts.anomalous.sum()), float(counts.normal.sum())
    if not positives or not negatives:
        return {}
    thresholds = counts.low[::-1]
    recall, fpr, precision = tp / positives, fp / negatives, tp / (tp + fp)
    pro = overlap / counts.regions
    unit = thresholds / (float(np.ptp(thresholds)) or 1.0)  # an axis as long as the others
    scores, jaccard = f1(tp, fp, positives), iou(tp, fp, positives)
    return {
        "roc": _curve(
            thresholds, [(fpr, recall)], {"fpr": fpr, "tpr": recall}, start={"fpr": 0.0, "tpr": 0.0}
        ),
        "pr": _curve(thresholds, [(recall, precision)], {"recall": recall, "precision": precision}),
        "pro": _curve(thresholds, [(fpr, pro)], {"fpr": fpr, "pro": pro}, start={"fpr": 0.0, "pro": 0.0}),
        "f1_iou": _curve(thresholds, [(unit, scores), (unit, jaccard)], {"f1": scores, "iou": jaccard}),
    }


def image_curves(counts: ScoreCounts) -> dict[str, Curve]:
    """Return ``image_roc`` and ``image_pr`` of image scores, labels as the dataset has them."""
    fp, tp, _ = counts.from_the_top
    if not tp.size or not tp[-1] or not fp[-1]:
        return {}
    thresholds, recall, fpr, precision = counts.low[::-1], tp / tp[-1], fp / fp[-1], tp / (tp + fp)
    start = {"fpr": 0.0, "tpr": 0.0}
    return {
        "image_roc": _curve(thresholds, [(fpr, recall)], {"fpr": fpr, "tpr": recall}, start),
        "image_pr": _curve(thresholds, [(recall, precision)], {"recall": recall, "precision": precision}),
    }


def _curve(
    thresholds: FloatArray,
    lines: Sequence[tuple[FloatArray, FloatArray]],
    columns: Mapping[str, FloatArray],
    start: Mapping[str, float] | None = None,
) -> Curve:
    """Thin; put ``start``, at a threshold above every score, in front."""
    chosen = thinned(lines, MOST_POINTS - (start is not None))
    curve = {name: values[chosen].tolist() for name, values in columns.items()}
    curve["threshold"] = thresholds[chosen].tolist()
    if start is not None:
        above_all = float(np.nextafter(thresholds[0], np.inf))
        for name, values in curve.items():
            values.insert(0, start.get(name, above_all))
    return curve
