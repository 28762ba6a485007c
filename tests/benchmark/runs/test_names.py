"""The columns of leaderboards against the metrics that there are."""

from __future__ import annotations

from benchmark.metrics import AGGREGATES, METRICS
from benchmark.metrics.protocols import THRESHOLDS_ON_NORMALISED_MAPS
from benchmark.runs import names


def test_every_metric_and_mean_has_a_column() -> None:
    assert set(names.METRICS) == {*METRICS, *AGGREGATES}


def test_means_hinge_on_extremes_where_one_of_their_metrics_does() -> None:
    of_exact = {"pixel_f1_.2_.8", "pixel_acc_.2_.8", "pixel_iou_.2_.8", "mad_.2_.8"}
    of_ader = {*of_exact, "pixel_f1_max", "pixel_iou_max", "aupro", "mad_pixel", "mad"}
    found = THRESHOLDS_ON_NORMALISED_MAPS
    assert (found["exact"], found["ader"]) == (of_exact, of_ader)
