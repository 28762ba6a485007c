"""Thresholds for images and pixels, how they came about, and what each would miss and raise.

Everywhere an image or pixel is anomalous when its score is **greater** than the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmark.metrics.counts import ScoreCounts
from benchmark.metrics.ranking import f1
from benchmark.runs.thresholds import Level, Rate, Threshold

Scores = npt.NDArray[np.floating]

BEST_F1 = "f1"
DEFAULT_RATE = 0.01  # of false alarms
Z_95 = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal distribution


def wilson(count: int, of: int) -> Rate:
    """Return a fraction with its 95 % interval (Wilson, 1927), which is sensible for few and for none.

    >>> rate = wilson(0, 20)
    >>> round(rate.low, 3), round(rate.high, 3)
    (0.0, 0.161)
    """
    if not of:
        return Rate(0, 0, 0.0, 1.0)
    share, z2 = count / of, Z_95**2
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == of else min(1.0, centre + half)
    return Rate(count, of, low, high)


def at_false_alarm_rate(normal: Scores, rate: float) -> tuple[float, float]:
    """Return the threshold that new normal images exceed at most at ``rate``, and the rate that it promises.

    Split conformal: of n exchangeable held-out scores and a new one, the chance that the new one is among the k
    highest is at most k / (n + 1) (Bates et al., Testing for Outliers with Conformal p-values, 2023, section 2). With
    too few scores for the rate that was asked for, the highest of them is taken, and 1 / (n + 1) is what it promises.

    Args:
        normal: scores of held-out normal images, (N,), N at least 1.
        rate: in (0, 1).

    >>> at_false_alarm_rate(np.arange(1.0, 100.0), 0.05)
    (95.0, 0.05)
    >>> at_false_alarm_rate(np.array([3.0, 1.0]), 0.01)[0]
    3.0
    """
    count = len(normal)
    allowed = min(max(1, math.floor(rate * (count + 1) + 1e-9)), count)
    value = float(np.partition(normal, count - allowed)[count - allowed])
    return value, allowed / (count + 1)


def p_values(normal: Scores, scores: Scores) -> npt.NDArray[np.float64]:
    """Return the conformal p-values (M,) of ``scores`` (M,) by held-out normal ones (N,): small = anomalous.

    The chance that a normal image scores at least so high, as far as N images can tell: never below 1 / (N + 1).

    >>> p_values(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.5, 9.0])).tolist()
    [1.0, 0.5, 0.25]
    """
    ordered = np.sort(normal)
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1 + above) / (len(ordered) + 1), dtype=np.float64)


def pixels_at_rate(counts: ScoreCounts, rate: float) -> float:
    """Return the lowest threshold that at most ``rate`` of the normal pixels in ``counts`` exceed.

    Pixels that were counted in bins are above it or below by whole bins, so that the rate is never exceeded.
    """
    above = counts.from_the_top[0]
    total = float(above[-1]) if above.size else 0.0
    beyond = int(np.searchsorted(above, rate * total, side="right"))  # entries that may all lie above
    highs = counts.high[::-1]
    return float(highs[min(beyond, highs.size - 1)])


def at_best_f1(counts: ScoreCounts) -> float:
    """Return the threshold with the best F1 of what is counted: midway between the scores that it parts.

    Args:
        counts: of images or pixels, with at least one anomalous.
    """
    fp, tp, _ = counts.from_the_top
    best = int(np.argmax(f1(tp, fp, float(tp[-1]))))
    low, high = counts.low[::-1], counts.high[::-1]
    if best + 1 == low.size:  # all of them are anomalous
        return float(np.nextafter(low[best], -np.inf))
    return float(low[best] + high[best + 1]) / 2


def outcome(counts: ScoreCounts, value: float) -> tuple[Rate | None, Rate | None]:
    """Return what a threshold misses of the anomalous and raises of the normal in ``counts``; None: there are none."""
    normal, anomalous, _ = (float(part[0]) for part in counts.above(np.array([value])))
    positives, negatives = float(counts.anomalous.sum()), float(counts.normal.sum())
    missed = wilson(round(positives - anomalous), round(positives)) if positives else None
    raised = wilson(round(normal), round(negatives)) if negatives else None
    return missed, raised


def image_thresholds(
    test: ScoreCounts, held_out: Scores | None, rates: Sequence[float] = (DEFAULT_RATE,)
) -> list[Threshold]:
    """Return the thresholds of images: by each false-alarm rate where normal images were held out, and at best F1.

    Args:
        test: counts of the test set's image scores.
        held_out: scores of normal images that were not trained on, (N,); None: there are none.
        rates: of false alarms.
    """
    found: list[Threshold] = []
    if held_out is not None and len(held_out):
        for rate in rates:
            value, promised = at_false_alarm_rate(held_out, rate)
            found.append(
                Threshold(
                    "image",
                    f"fpr={rate:g}",
                    value,
                    "held-out normal images",
                    len(held_out),
                    promised,
                    *outcome(test, value),
                )
            )
    return found + _by_f1("image", test)


def pixel_thresholds(
    test: ScoreCounts, held_out: ScoreCounts | None, rates: Sequence[float] = (DEFAULT_RATE,)
) -> list[Threshold]:
    """Return the thresholds of pixels, as :func:`image_thresholds` does; rates are shares of normal pixels."""
    found: list[Threshold] = []
    if held_out is not None and held_out.normal.sum():
        for rate in rates:
            value = pixels_at_rate(held_out, rate)
            pixels = int(held_out.normal.sum())
            found.append(
                Threshold(
                    "pixel",
                    f"fpr={rate:g}",
                    value,
                    "held-out normal images",
                    pixels,
                    None,
                    *outcome(test, value),
                )
            )
    return found + _by_f1("pixel", test)


def _by_f1(level: Level, test: ScoreCounts) -> list[Threshold]:
    if not test.anomalous.sum() or not test.normal.sum():
        return []
    value = at_best_f1(test)
    samples = int(test.anomalous.sum() + test.normal.sum())
    return [Threshold(level, BEST_F1, value, "test set", samples, None, *outcome(test, value))]
