"""Charts as SVG."""

from __future__ import annotations

import itertools
import re

from benchmark.report.svg import Series, axis_for, scatter


def heights(points: list[tuple[float, float]]) -> list[float]:
    axes = [axis_for(name, [point[at] for point in points]) for at, name in enumerate("xy")]
    chart = scatter("Cost", [Series(f"method {i}", i, [point]) for i, point in enumerate(points)], *axes)
    return [
        float(found) for found in re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="start">', chart)
    ]


def test_labels_of_points_that_lie_together_are_legible_one_below_the_other() -> None:
    found = sorted(heights([(1.0, 70.0), (1.0, 70.1), (1.01, 69.9), (1.0, 70.0), (9.0, 20.0)]))
    assert len(found) == 4
    assert all(below - above >= 10.9 for above, below in itertools.pairwise(found))


def test_labels_of_points_that_lie_apart_stay_beside_them() -> None:
    first, second = heights([(1.0, 70.0), (1.0, 20.0), (9.0, 50.0)])
    assert abs(first - second) > 100
