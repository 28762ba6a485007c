"""Whether the best method of a test set is better than those behind it: by the paired bootstrap of `bench compare`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.comparison.compare import compare
from benchmark.report.testsets import ShownMethod
from cocoad.base.errors import InputError

SAMPLES = 500
MOST_COMPARED = 3  # methods behind the best


@dataclass(frozen=True)
class Verdict:
    """What the test images say of the best method and another, in points of mAD (image metrics' where no maps are)."""

    best: str
    other: str
    metric: str
    difference: float
    low: float
    high: float
    decided: bool


def verdicts(methods: Sequence[ShownMethod]) -> list[Verdict]:
    """Compare the first method's first run with those of the next three; what cannot be compared is left out."""
    found = []
    for other in methods[1 : 1 + MOST_COMPARED]:
        first, second = methods[0].runs[0].directory, other.runs[0].directory
        try:
            comparison = compare(second, first, SAMPLES, by_group=False, quiet=True)
        except InputError:
            continue
        by_metric = {one.metric: one for one in comparison.overall.differences}
        one = by_metric.get("mad") or by_metric["mad_image"]
        if math.isfinite(one.found.difference):
            difference, low, high = (
                100 * value for value in (one.found.difference, one.found.low, one.found.high)
            )
            names = methods[0].label, other.label, one.metric
            found.append(Verdict(*names, difference, low, high, one.better == "B"))
    return found
