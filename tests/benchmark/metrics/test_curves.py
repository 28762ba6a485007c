"""Curves: short, true to their areas, and readable as thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.metrics import Evaluator
from benchmark.metrics.curves import thinned

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


def test_every_value_of_every_curve_is_a_count_over_maps_and_masks() -> None:
    rng = np.random.default_rng(3)
    masks = np.zeros((4, 6, 6), bool)
    masks[2, 1:3, 1:4] = masks[3, 4:, 4:] = masks[3, 0, 0] = True
    maps = np.round(rng.random(masks.shape) + 0.4 * masks, 1).astype(np.float32)
    evaluator = Evaluator()
    evaluator.update(maps, masks)
    curves = {kind: of_class[""] for kind, of_class in evaluator.curves().items()}
    assert {kind: tuple(curve)[:-1] for kind, curve in curves.items()} == {
        "roc": ("fpr", "tpr"),
        "pr": ("recall", "precision"),
        "pro": ("fpr", "pro"),
        "f1_iou": ("f1", "iou"),
        "image_roc": ("fpr", "tpr"),
        "image_pr": ("recall", "precision"),
    }
    regions = [masks[2], np.pad(masks[3, 4:, 4:], ((4, 0), (4, 0))), np.pad([[True]], ((0, 5), (0, 5)))]
    of_regions = list(zip([maps[2], maps[3], maps[3]], regions, strict=True))
    labels, tops = masks.any((1, 2)), maps.max((1, 2))
    for kind, curve in curves.items():
        truth, values = (labels, tops) if kind.startswith("image") else (masks, maps)
        thresholds = np.array(curve["threshold"])
        assert (np.diff(thresholds) < 0).all()
        assert len(thresholds) == len(np.unique(values)) + (kind in ("roc", "pro", "image_roc"))
        for index, threshold in enumerate(thresholds):
            flagged = values >= threshold
            tp, fp = (flagged & truth).sum(), (flagged & ~truth).sum()
            counted = {
                "fpr": fp / (~truth).sum(),
                "tpr": tp / truth.sum(),
                "recall": tp / truth.sum(),
                "precision": tp / max(tp + fp, 1),
                "f1": 2 * tp / (tp + fp + truth.sum()),
                "iou": tp / (fp + truth.sum()),
                "pro": np.mean([(one[where] >= threshold).mean() for one, where in of_regions]),
            }
            for column in set(curve) - {"threshold"}:
                assert curve[column][index] == pytest.approx(counted[column], abs=1e-9), (kind, column, index)


def test_classes_without_one_of_both_kinds_have_no_curves() -> None:
    evaluator = Evaluator()
    evaluator.update(np.ones((2, 4, 4), np.float32), np.zeros((2, 4, 4), bool))
    assert evaluator.curves() == {}


def test_a_line_that_does_not_move_costs_no_points() -> None:
    flat, rising = np.zeros(5000), np.linspace(0, 1, 5000)
    chosen = thinned([(rising, flat)], 100)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 4999, 100)
    assert np.diff(chosen).max() <= 52
    late = np.concatenate([np.zeros(4000), np.linspace(0, 1, 1000)])
    assert (thinned([(late, flat)], 100) >= 3990).sum() >= 99
