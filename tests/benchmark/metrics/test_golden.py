"""The engine against values that independent implementations computed, and against scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from benchmark.metrics import Evaluator, evaluate

SETS = ("plain", "heavy_tail", "ties", "weak")


@pytest.fixture(scope="module")
def golden(shared: Path) -> tuple[Any, dict[str, Any]]:
    folder = shared / "golden"
    return np.load(folder / "metrics_inputs.npz"), json.loads((folder / "metrics_expected.json").read_text())


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_every_metric_equals_the_golden_value_to_four_decimals(golden: Any, name: str, batch: int) -> None:
    inputs, expected = golden
    maps, masks = inputs[f"{name}/maps"], inputs[f"{name}/masks"]
    evaluator = Evaluator()
    for start in range(0, len(maps), batch):
        evaluator.update(maps[start : start + batch], masks[start : start + batch])
    metrics = evaluator.compute().metrics
    for metric, value in expected[name]["protocol_ader"].items():
        assert metrics["ader"][metric] == pytest.approx(value, abs=1e-5), metric
    assert metrics["exact"]["aupro"] == pytest.approx(expected[name]["exact_aupro_fpr_0.3"], abs=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_only_the_set_with_outlier_pixels_is_flagged(golden: Any, name: str) -> None:
    evaluator = Evaluator()
    evaluator.update(golden[0][f"{name}/maps"], golden[0][f"{name}/masks"])
    assert evaluator.compute().flags == (["outlier-pixel"] if name == "heavy_tail" else [])


@pytest.mark.parametrize("name", SETS)
def test_binned_metrics_keep_the_golden_values_within_the_published_bound(
    golden: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.metrics.store.KEPT_PIXELS", 0)
    evaluator = Evaluator()
    evaluator.update(golden[0][f"{name}/maps"], golden[0][f"{name}/masks"])
    evaluation = evaluator.compute()
    for metric, value in golden[1][name]["protocol_ader"].items():
        bound = evaluation.error_bounds.get(f"ader/{metric}", 0.0)
        assert abs(evaluation.metrics["ader"][metric] - value) <= bound + 1e-5, metric
        assert abs(evaluation.metrics["ader"][metric] - value) < 2.5e-4, metric


def test_exact_mode_equals_scikit_learn_to_nine_decimals() -> None:
    rng = np.random.default_rng(5)
    masks = rng.random((6, 20, 20)) < 0.2
    masks[:2] = False
    maps = rng.normal(size=masks.shape) + masks
    metrics = evaluate(maps, masks, protocol="exact", keep_scores=True)
    for level, labels, scores in (
        ("pixel", masks.ravel(), maps.ravel()),
        ("image", masks.any((1, 2)), maps.max((1, 2))),
    ):
        precision, recall, _ = precision_recall_curve(labels, scores)
        f1 = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
        assert metrics[f"{level}_auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
        assert metrics[f"{level}_ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
        assert metrics[f"{level}_f1_max"] == pytest.approx(f1, abs=1e-9)
