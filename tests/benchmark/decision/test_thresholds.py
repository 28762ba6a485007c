"""Thresholds against their definitions, by brute force and by simulation."""

from __future__ import annotations

import doctest

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

import benchmark.decision.regions
import benchmark.decision.thresholds
from benchmark.decision.regions import regions
from benchmark.decision.thresholds import (
    at_best_f1,
    at_false_alarm_rate,
    image_thresholds,
    outcome,
    p_values,
    pixel_thresholds,
    pixels_at_rate,
    wilson,
)
from benchmark.metrics.counts import ScoreCounts, counts_from_scores

Scores = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=40)


def counts_of(normal: list[float], anomalous: list[float]) -> ScoreCounts:
    weights = [np.ones(len(anomalous))]
    return counts_from_scores([np.array(normal)], [np.array(anomalous)], weights, len(anomalous))


@pytest.mark.parametrize("module", [benchmark.decision.thresholds, benchmark.decision.regions])
def test_the_examples_are_true(module: object) -> None:
    import numpy

    result = doctest.testmod(module, extraglobs={"np": numpy})  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


@given(st.integers(0, 60), st.integers(1, 60))
def test_an_interval_is_wilsons(count: int, of: int) -> None:
    count = min(count, of)
    ours, theirs = wilson(count, of), binomtest(count, of).proportion_ci(0.95, method="wilson")
    assert ours.low == pytest.approx(theirs.low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high, abs=1e-9)
    assert ours.low <= ours.share <= ours.high


@given(Scores, st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_a_p_value_is_small_exactly_when_the_score_is_above_the_threshold(
    normal: list[float], rate: float
) -> None:
    value, promised = at_false_alarm_rate(np.array(normal), rate)
    scores = np.arange(-7.0, 8.0, 0.5)
    below = p_values(np.array(normal), scores) <= promised + 1e-12
    assert (below == (scores > value)).all()
    assert promised <= max(rate + 1e-12, 1 / (len(normal) + 1))


def test_the_promised_rate_of_false_alarms_is_kept_on_new_normal_images() -> None:
    random, raised = np.random.default_rng(0), []
    for _ in range(2000):
        value, promised = at_false_alarm_rate(random.normal(size=99), 0.05)
        raised.append(random.normal() > value)
    assert promised == 0.05
    assert binomtest(sum(raised), len(raised), 0.05).pvalue > 0.001


@given(Scores, Scores)
def test_the_best_f1_is_that_of_trying_every_threshold(normal: list[float], anomalous: list[float]) -> None:
    def score(value: float) -> float:
        tp, fp = sum(s > value for s in anomalous), sum(s > value for s in normal)
        return 2 * tp / (tp + fp + len(anomalous))

    chosen = at_best_f1(counts_of(normal, anomalous))
    best = max(score(value) for value in np.arange(-7, 7, 0.5))
    assert score(chosen) == pytest.approx(best)


@given(Scores, st.sampled_from([0.01, 0.1, 0.3]))
def test_no_more_normal_pixels_than_the_rate_are_raised(normal: list[float], rate: float) -> None:
    value = pixels_at_rate(counts_of(normal, []), rate)
    raised = sum(score > value for score in normal)
    assert raised <= rate * len(normal)
    lower = [score for score in normal if score < value]
    if lower:  # the next lower threshold would raise too many
        assert sum(score > max(lower) for score in normal) > rate * len(normal)


@given(Scores, Scores, st.integers(-7, 7))
def test_what_is_missed_and_raised_is_counted(
    normal: list[float], anomalous: list[float], value: int
) -> None:
    missed, raised = outcome(counts_of(normal, anomalous), value)
    assert missed is not None
    assert raised is not None
    assert (missed.count, missed.of) == (sum(s <= value for s in anomalous), len(anomalous))
    assert (raised.count, raised.of) == (sum(s > value for s in normal), len(normal))


def test_a_threshold_says_how_it_came_about() -> None:
    test = counts_of([0.0, 1.0], [2.0, 3.0])
    by_rate, by_f1 = image_thresholds(test, np.arange(200.0) / 100)
    assert (by_rate.rule, by_rate.fitted_on, by_rate.samples) == ("fpr=0.01", "held-out normal images", 200)
    assert by_rate.promised_rate == pytest.approx(2 / 201)
    assert (by_f1.rule, by_f1.fitted_on, by_f1.value, by_f1.promised_rate) == ("f1", "test set", 1.5, None)
    assert [each.rule for each in image_thresholds(test, None)] == ["f1"]
    assert image_thresholds(counts_of([0.0], []), None) == []
    pixels = pixel_thresholds(test, counts_of(list(np.arange(1000.0)), []))
    assert [(each.level, each.rule) for each in pixels] == [("pixel", "fpr=0.01"), ("pixel", "f1")]
    assert pixels[0].value == 989.0


def test_regions_are_the_connected_ones_with_their_boxes_and_peaks() -> None:
    scores: npt.NDArray[np.float64] = np.zeros((8, 10))
    scores[1:3, 2:5] = 0.6
    scores[2, 4] = 0.9
    scores[6, 9] = 0.7
    found = regions(scores, 0.5)
    assert [(r.x, r.y, r.width, r.height, r.area, r.peak) for r in found] == [
        (2, 1, 3, 2, 6, 0.9),
        (9, 6, 1, 1, 1, 0.7),
    ]
    assert [r.area for r in regions(scores, 0.5, smallest=2)] == [6]
    assert regions(scores, 1.0) == []
