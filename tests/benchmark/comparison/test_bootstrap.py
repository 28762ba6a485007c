"""The vectorised bootstrap against scikit-learn on the resampled images, and against golden values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from benchmark.comparison.bootstrap import (
    Counts,
    ImageScores,
    PixelCounts,
    draw_weights,
    interval,
    metrics_of,
)


def f1_max(labels: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.integers(2, 30))
def test_every_resample_has_the_metrics_of_its_images(seed: int, images: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.r_[0, 1, random.integers(0, 2, images)]
    scores = random.integers(0, levels, labels.size).astype(float)  # ties
    weights = draw_weights(labels.tolist(), 5, seed)
    found = metrics_of(ImageScores(scores, labels).counts(weights, np.arange(labels.size)))
    for row, times in enumerate(weights.astype(int)):
        drawn, truth = np.repeat(scores, times), np.repeat(labels, times)
        assert found["auroc"][row] == pytest.approx(roc_auc_score(truth, drawn))
        assert found["ap"][row] == pytest.approx(average_precision_score(truth, drawn))
        assert found["f1_max"][row] == pytest.approx(f1_max(truth, drawn))


def test_a_resample_keeps_the_number_of_images_of_every_class_and_label() -> None:
    strata = [("a", 0)] * 5 + [("a", 1)] * 7 + [("b", 0)] * 3
    weights = draw_weights(strata, 200, 3)
    assert (weights[0] == 1).all()
    assert (weights[:, :5].sum(axis=1) == 5).all()
    assert (weights[:, 5:12].sum(axis=1) == 7).all()
    assert weights[1:].std() > 0.5
    assert np.array_equal(weights, draw_weights(strata, 200, 3))
    assert not np.array_equal(weights, draw_weights(strata, 200, 4))


@pytest.mark.parametrize("name", ["plain", "heavy_tail", "ties", "weak"])
def test_pixel_metrics_of_the_test_set_are_near_the_golden_ones(shared: Path, name: str) -> None:
    inputs = np.load(shared / "golden" / "metrics_inputs.npz")
    expected = json.loads((shared / "golden" / "metrics_expected.json").read_text())[name]
    counts = PixelCounts(inputs[f"{name}/maps"].astype(np.float32), inputs[f"{name}/masks"] > 0)
    everything = np.arange(len(counts.regions))
    found = metrics_of(counts.counts(np.ones((1, everything.size), np.float32), everything))
    assert found["auroc"][0] == pytest.approx(expected["protocol_ader"]["pixel_auroc"], abs=5e-4)
    assert found["ap"][0] == pytest.approx(expected["protocol_ader"]["pixel_ap"], abs=5e-3)
    assert found["aupro"][0] == pytest.approx(expected["exact_aupro_fpr_0.3"], abs=2e-3)


def test_pixel_counts_under_weights_are_those_of_the_repeated_images() -> None:
    random = np.random.default_rng(0)
    maps = random.normal(size=(6, 8, 8)).astype(np.float32)
    masks = random.random((6, 8, 8)) > 0.8
    whole = PixelCounts(maps, masks)
    times = np.array([[2, 0, 1, 3, 0, 1]], np.float32)
    counts = whole.counts(times, np.arange(6))
    repeated = np.repeat(np.arange(6), times[0].astype(int))
    drawn = maps[repeated]
    truth = masks[repeated]
    assert counts.anomalous.sum() == truth.sum()
    assert counts.normal.sum() == (~truth).sum()
    found = metrics_of(counts)["auroc"][0]
    assert found == pytest.approx(roc_auc_score(truth.ravel(), drawn.ravel()), abs=0.01)
    assert counts.overlap is not None
    assert counts.overlap.sum() == pytest.approx(counts.regions)


def test_without_one_kind_of_item_every_metric_is_undefined() -> None:
    none = Counts(np.ones((1, 3)), np.zeros((1, 3)))
    assert all(np.isnan(values).all() for values in metrics_of(none).values())


def test_the_interval_of_a_difference_has_the_spread_of_the_resamples() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(0.5, 0.1, 20001), random.normal(0.6, 0.1, 20001)
    found = interval(first, second)
    assert found.difference == pytest.approx(second[0] - first[0])
    assert (found.low, found.high) == pytest.approx((0.1 - 0.277, 0.1 + 0.277), abs=0.01)
    assert found.p == pytest.approx(0.48, abs=0.02)  # 2 Φ(−0.1 / 0.1414)


def test_equal_values_differ_by_nothing_with_p_1() -> None:
    found = interval(np.ones(101), np.ones(101))
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
