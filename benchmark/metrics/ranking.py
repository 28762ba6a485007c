"""Metrics of rank: every distinct score (or bin) is a threshold, nothing but the order of the scores matters.

All functions take ``tp`` and ``fp`` (S,), the true and the false positives at the thresholds "at least this
score", from the **highest score down** (:attr:`ScoreCounts.from_the_top`), whose last value, all there are, is
positive where the metric needs it (the caller sees to it); and return a fraction in [0, 1].
"""

from __future__ import annotations

import numpy as np

from benchmark.metrics.keys import FloatArray

# AUPRO's bound on the false-positive rate (Bergmann et al., MVTec AD, IJCV 2021, section 4.4).
FPR_LIMIT = 0.3


def auroc(tp: FloatArray, fp: FloatArray) -> float:
    """Area under the ROC curve: the chance that an anomalous score is above a normal one, ties counting half.

    Source: Fawcett, An introduction to ROC analysis, 2006; equals ``sklearn.metrics.roc_auc_score``.

    >>> auroc(np.array([1.0, 2.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    0.875
    """
    gained = np.diff(tp, prepend=0.0) / tp[-1]
    rate = fp / fp[-1]
    return float(np.sum(gained * (1 - 0.5 * (rate + np.append(0.0, rate[:-1])))))


def average_precision(tp: FloatArray, fp: FloatArray) -> float:
    """Average precision: precision at each score, weighted by the recall gained there (no interpolation).

    Source: equals ``sklearn.metrics.average_precision_score``.

    >>> average_precision(np.array([1.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0]))
    0.8333333333333333
    """
    return float(np.sum(tp / np.maximum(tp + fp, 1) * np.diff(tp, prepend=0.0)) / tp[-1])


def f1_max(tp: FloatArray, fp: FloatArray, positives: float) -> float:
    """Best F1 = 2·TP / (TP + FP + positives) over thresholds with ``tp`` and ``fp`` (T,), ``positives`` > 0.

    >>> f1_max(np.array([1.0, 2.0]), np.array([0.0, 2.0]), 2.0)
    0.6666666666666666
    """
    return float(np.max(f1(tp, fp, positives)))


def iou_max(tp: FloatArray, fp: FloatArray, positives: float) -> float:
    """Best IoU = TP / (FP + positives) over thresholds with ``tp`` and ``fp`` (T,), ``positives`` > 0.

    >>> iou_max(np.array([1.0, 2.0]), np.array([0.0, 2.0]), 2.0)
    0.5
    """
    return float(np.max(iou(tp, fp, positives)))


def f1(tp: FloatArray, fp: FloatArray, positives: float) -> FloatArray:
    """F1 at each threshold: 2·TP / (2·TP + FP + FN), in [0, 1]."""
    return 2 * tp / (tp + fp + positives)


def iou(tp: FloatArray, fp: FloatArray, positives: float) -> FloatArray:
    """Intersection over union at each threshold: TP / (TP + FP + FN), in [0, 1]."""
    return tp / (fp + positives)


def aupro(fp: FloatArray, overlap: FloatArray, regions: int, limit: float = FPR_LIMIT) -> float:
    """Area under the per-region overlap over the false-positive rate up to ``limit``, divided by it.

    Args:
        fp: normal pixels at or above each score, (S,).
        overlap: sum of 1 / (area of its region) over the anomalous pixels at or above each score, (S,).
        regions: how many regions there are, at least 1.
        limit: the false-positive rate to integrate to, interpolated linearly between two thresholds.

    Source: Bergmann et al., Uninformed Students, CVPR 2020, section 4; MVTec AD, IJCV 2021, section 4.4.

    >>> aupro(np.array([0.0, 1.0]), np.array([0.5, 1.0]), 1, limit=1.0)
    0.75
    """
    fpr = np.append(0.0, fp / fp[-1])
    pro = np.append(0.0, overlap / regions)
    inside = int(np.searchsorted(fpr, limit, side="right"))
    area = float(np.trapezoid(pro[:inside], fpr[:inside]))
    if inside < fpr.size and fpr[inside - 1] < limit:
        gap = limit - fpr[inside - 1]
        slope = (pro[inside] - pro[inside - 1]) / (fpr[inside] - fpr[inside - 1])
        area += gap * (pro[inside - 1] + 0.5 * slope * gap)
    return min(max(area / limit, 0.0), 1.0)
