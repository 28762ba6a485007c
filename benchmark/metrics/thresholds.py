"""Metrics at fixed thresholds on scores min–max normalised over the whole test set: the published dialect.

Source: Zhang et al., Learning Feature Inversion for Multi-class Anomaly Detection under General-purpose
COCO-AD Benchmark, 2024, section 5.1. All of them hinge on the two most extreme pixels of the set.
"""

from __future__ import annotations

import bisect
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmark.metrics.counts import InBin, ScoreCounts
from benchmark.metrics.keys import FloatArray
from benchmark.metrics.ranking import FPR_LIMIT, f1, iou

MID_THRESHOLDS = np.arange(2, 9) / 10  # .2, .3 … .8 of the normalised range
SWEEP = np.arange(21) / 20  # 0, .05 … 1 of the normalised range, the former among them
AUPRO_STEPS = 100

FEW = 1e-4  # share of the pixels
WIDE = 0.5  # share of the range of scores


def normalised(counts: ScoreCounts) -> ScoreCounts:
    """Return the counts with scores mapped to [0, 1] by the extremes of the set, which must differ."""
    low, high = (_unit(edge, counts.minimum, counts.maximum) for edge in (counts.low, counts.high))
    return replace(counts, low=np.clip(low, 0, 1), high=np.clip(high, 0, 1), minimum=0.0, maximum=1.0)


def places_of_thresholds(scores: FloatArray, minimum: float, maximum: float) -> npt.NDArray[np.intp]:
    """Return how many of ascending ``scores`` are at most each threshold of this module, of a set of such extremes."""
    at_steps = np.searchsorted(scores, _steps(minimum, maximum), side="right")
    if minimum == maximum:
        return at_steps
    unit = [
        bisect.bisect_right(scores, threshold, key=lambda score: _unit(score, minimum, maximum))
        for threshold in SWEEP
    ]
    return np.concatenate([at_steps, np.array(unit, np.intp)])


def _unit(scores: FloatArray, minimum: float, maximum: float) -> FloatArray:
    result: FloatArray = (scores - minimum) / (maximum - minimum)
    return result


def _steps(minimum: float, maximum: float) -> FloatArray:
    return minimum + np.arange(AUPRO_STEPS, dtype=np.float64) * ((maximum - minimum) / AUPRO_STEPS)


def sweep_metrics(counts: ScoreCounts, side: InBin = "even") -> tuple[float, float]:
    """Return the best F1 and the best IoU over the thresholds 0, .05 … 1 (strict >) of normalised counts."""
    fp, tp, _ = counts.above(SWEEP, side)
    positives = float(counts.anomalous.sum())
    return float(f1(tp, fp, positives).max()), float(iou(tp, fp, positives).max())


def mid_metrics(counts: ScoreCounts, side: InBin = "even") -> tuple[float, float, float]:
    """Return the means over thresholds .2, .3 … .8 (strict >) of F1, recall and IoU of normalised counts."""
    fp, tp, _ = counts.above(MID_THRESHOLDS, side)
    positives = float(counts.anomalous.sum())
    return (
        float(f1(tp, fp, positives).mean()),
        float((tp / positives).mean()),
        float(iou(tp, fp, positives).mean()),
    )


def aupro_at_steps(counts: ScoreCounts, side: InBin = "even", limit: float = FPR_LIMIT) -> float:
    """AUPRO of the published dialect: 100 thresholds ``min + i·(max − min)/100``, FPR < ``limit`` rescaled.

    The points whose false-positive rate is below ``limit`` are kept, their rates stretched to [0, 1] by
    their own smallest and largest, and the area is the trapezoid's. NaN when fewer than two rates are left.
    """
    fp, _, overlap = counts.above(_steps(counts.minimum, counts.maximum), side)
    fpr = fp / counts.normal.sum()
    kept = fpr < limit
    rates, pro = fpr[kept][::-1], overlap[kept][::-1] / counts.regions
    if not rates.size or rates[-1] <= rates[0]:
        return float("nan")
    return float(np.clip(np.trapezoid(pro, rates) / (rates[-1] - rates[0]), 0, 1))


def hinges_on_outliers(counts: ScoreCounts) -> bool:
    """Whether 1 in 10,000 of the pixels at each end span more than half of the range of the scores.

    If so, min–max normalisation squeezes nearly all pixels into less than half of [0, 1], and the metrics of
    this module say more about those few pixels than about the rest. ``counts`` are not normalised.
    """
    pixels = counts.normal + counts.anomalous
    few = max(1.0, FEW * float(pixels.sum()))
    low = counts.low[np.cumsum(pixels) > few]
    high = counts.high[np.cumsum(pixels[::-1])[::-1] > few]
    rest = max(float(high[-1] - low[0]), 0.0) if low.size and high.size else 0.0
    return rest < (1 - WIDE) * (counts.maximum - counts.minimum)
