"""Curves: short, true to their areas, and readable as thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.metrics import Evaluator

COLUMNS = {
    "roc": ("fpr", "tpr"),
    "pr": ("recall", "precision"),
    "pro": ("fpr", "pro"),
    "f1_iou": ("threshold", "f1"),
    "image_roc": ("fpr", "tpr"),
    "image_pr": ("recall", "precision"),
}


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    rng = np.random.default_rng(1)
    masks = np.zeros((60, 80, 80), bool)
    masks[20:, 10:30, 20:50] = True
    masks[40:, 60:64, 5:70] = True
    filled = Evaluator()
    filled.update(rng.gamma(2, 0.2, masks.shape) + 0.3 * masks * rng.random(masks.shape), masks)
    return filled


def area(curve: dict[str, list[float]], kind: str) -> float:
    x, y = (np.array(curve[column]) for column in COLUMNS[kind])
    return abs(float(np.trapezoid(y, x))) / (float(np.ptp(x)) or 1.0)


def test_thinning_moves_no_area_by_more_than_one_in_ten_thousand(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin = evaluator.curves()
    monkeypatch.setattr("benchmark.metrics.curves.MOST_POINTS", 10**9)
    monkeypatch.setattr("benchmark.metrics.curves.thinned", lambda lines, most: np.arange(lines[0][0].size))
    full = evaluator.curves()
    for kind in COLUMNS:
        assert len(thin[kind][""]["threshold"]) <= 1000
        assert area(thin[kind][""], kind) == pytest.approx(area(full[kind][""], kind), abs=1e-4), kind
    assert len(full["roc"][""]["threshold"]) > 100_000


def test_curves_give_back_the_areas_of_the_metrics(evaluator: Evaluator) -> None:
    curves, metrics = evaluator.curves(), evaluator.compute().metrics["exact"]
    assert area(curves["roc"][""], "roc") == pytest.approx(metrics["pixel_auroc"], abs=1e-4)
    assert area(curves["image_roc"][""], "image_roc") == pytest.approx(metrics["image_auroc"], abs=1e-4)
    assert max(curves["f1_iou"][""]["f1"]) == pytest.approx(metrics["pixel_f1_max"], abs=1e-4)


def test_a_point_says_what_its_threshold_gives(evaluator: Evaluator) -> None:
    maps = np.concatenate([pixels.normal for _, pixels in evaluator.store.kept or ()]).astype(float)
    curve = evaluator.curves()["roc"][""]
    for index in (0, 100, 500, -1):
        assert np.mean(maps >= curve["threshold"][index]) == pytest.approx(curve["fpr"][index], abs=1e-12)
