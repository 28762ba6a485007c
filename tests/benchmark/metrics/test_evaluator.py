"""The evaluator's promises: what it accepts, what it keeps, groups, classes, states and flags."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmark.metrics import AGGREGATES, Evaluator, UndefinedMetricWarning, evaluate
from benchmark.metrics.inputs import checked_batch
from benchmark.metrics.store import PixelStore
from cocoad.base.errors import InputError

RNG = np.random.default_rng(3)
MASKS = np.zeros((6, 12, 12), bool)
MASKS[2:, 2:6, 3:8] = True
MASKS[4, 9:, 9:] = True
MAPS = (RNG.random(MASKS.shape) + 0.4 * MASKS).astype(np.float32)
GROUPS = [(), (), ("size:small",), ("size:large", "category:cat"), ("size:small", "category:cat"), ()]


@pytest.fixture(params=["kept", "binned"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run with the scores kept, and with all of them in bins."""
    if request.param == "binned":
        monkeypatch.setattr("benchmark.metrics.store.KEPT_PIXELS", 0)
    return str(request.param)


def filled(**options: Any) -> Evaluator:
    evaluator = Evaluator()
    evaluator.update(MAPS, MASKS, groups=GROUPS, **options)
    return evaluator


def test_a_group_is_scored_as_its_anomalous_images_with_all_normal_ones(mode: str) -> None:
    evaluation = filled().compute()
    assert set(evaluation.per_group) == {"size:small", "size:large", "category:cat"}
    for group, chosen in (
        ("size:small", [0, 1, 2, 4]),
        ("size:large", [0, 1, 3]),
        ("category:cat", [0, 1, 3, 4]),
    ):
        alone = Evaluator()
        alone.update(MAPS[chosen], MASKS[chosen])
        for protocol, metrics in alone.compute().metrics.items():
            assert evaluation.per_group[group][protocol] == pytest.approx(metrics, abs=1e-12), (group, mode)


def test_classes_are_scored_apart_and_averaged(mode: str) -> None:
    names = ["a", "b", "a", "a", "b", "b"]
    evaluation = filled(classes=names).compute()
    for name in "ab":
        chosen = [index for index, other in enumerate(names) if other == name]
        alone = Evaluator()
        alone.update(MAPS[chosen], MASKS[chosen])
        assert evaluation.per_class[name]["exact"] == pytest.approx(
            alone.compute().metrics["exact"], abs=1e-12
        )
    for metric, value in evaluation.metrics["exact"].items():
        parts = [evaluation.per_class[name]["exact"][metric] for name in "ab"]
        assert value == pytest.approx(np.mean(parts), abs=1e-12)


def test_aggregates_are_the_means_of_their_parts() -> None:
    metrics = evaluate(MAPS, MASKS)
    for name, parts in AGGREGATES.items():
        assert metrics[name] == pytest.approx(np.mean([metrics[part] for part in parts]))
    assert len(AGGREGATES["mad"]) == 7


def test_a_metric_undefined_in_one_class_is_nan_in_the_mean_and_says_which() -> None:
    evaluator = Evaluator()
    evaluator.update(MAPS, MASKS, classes=["good", "good", "x", "x", "x", "x"])
    with pytest.warns(UndefinedMetricWarning, match=r"image_auroc.*class x: no normal image"):
        evaluation = evaluator.compute()
    assert np.isnan(evaluation.metrics["exact"]["image_auroc"])
    assert np.isnan(evaluation.metrics["exact"]["mad"])
    assert evaluation.undefined["class:good/ader/pixel_ap"] == "no anomalous pixel"


def test_an_anomaly_that_vanished_in_resizing_is_normal_under_ader_and_anomalous_under_exact() -> None:
    labels = [0, 1, 1, 1, 1, 1]
    evaluator = Evaluator()
    scores = np.array([0.1, 0.9, 0.8, 0.7, 0.6, 0.5])
    evaluator.update(MAPS, MASKS, labels=labels, image_scores=scores)
    metrics = evaluator.compute().metrics
    assert metrics["exact"]["image_auroc"] == 1.0
    assert metrics["ader"]["image_auroc"] == 0.5


def test_constant_maps_leave_the_normalised_metrics_undefined_and_the_others_at_chance(mode: str) -> None:
    evaluator = Evaluator()
    evaluator.update(np.full(MASKS.shape, 0.3), MASKS)
    with pytest.warns(UndefinedMetricWarning, match="same score"):
        evaluation = evaluator.compute()
    assert evaluation.metrics["exact"]["pixel_auroc"] == 0.5
    assert evaluation.metrics["exact"]["pixel_f1_max"] > 0
    assert np.isnan(evaluation.metrics["ader"]["pixel_f1_max"])
    assert "min–max" in evaluation.undefined["ader/pixel_f1_.2_.8"]


def test_nothing_at_all_is_undefined_and_no_crash() -> None:
    evaluator = Evaluator()
    evaluator.update(np.zeros((0, 4, 4), np.float32), np.zeros((0, 4, 4), bool))
    with pytest.warns(UndefinedMetricWarning, match="no image"):
        metrics = evaluator.compute().metrics
    assert all(np.isnan(value) for value in metrics["ader"].values())
    assert evaluator.curves() == {}


@pytest.mark.parametrize(
    ("maps", "masks", "words"),
    [
        (MAPS[0], MASKS[0], "expected (images, height, width)"),
        (MAPS, MASKS[:, :5], "must be the same"),
        (MAPS.astype(int), MASKS, "must be floats"),
        (MAPS, MASKS * np.uint8(255), "other values than 0 and 1"),
        (MAPS, np.where(MASKS, 0.5, 0), "other values than 0 and 1"),
        (np.where(MASKS, np.nan, MAPS), MASKS, "map 2 of the batch holds NaN"),
        (np.where(MASKS, -np.inf, MAPS), MASKS, "an infinity"),
        (np.where(MASKS, 1e300, MAPS.astype(float)), MASKS, "beyond float32"),
    ],
)
def test_wrong_input_is_refused_in_words_and_leaves_no_trace(maps: Any, masks: Any, words: str) -> None:
    evaluator = filled()
    before = evaluator.compute().metrics
    with pytest.raises(InputError) as refusal:
        evaluator.update(maps, masks)
    assert words in str(refusal.value)
    assert evaluator.compute().metrics == before


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"labels": [0, 1]}, "labels have the shape"),
        ({"labels": [0, 1, 2, 0, 0, 0]}, "other values"),
        ({"image_scores": [np.nan] * 6}, "finite"),
        ({"classes": ["a"]}, "1 classes"),
        ({"classes": "sixcat"}, "classes are a list of names"),
        ({"groups": ["cat", "dog", (), (), (), ()]}, "groups a list of lists of names"),
        ({"groups": "sixcat"}, "groups a list of lists of names"),
    ],
)
def test_side_information_that_does_not_fit_is_refused(option: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Evaluator().update(MAPS, MASKS, **option)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_tensors_of_every_float_type_score_like_arrays(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(MAPS).to(getattr(torch, dtype)).requires_grad_()
    ours = evaluate(tensor, torch.from_numpy(MASKS))
    assert ours == evaluate(tensor.detach().float().numpy(), MASKS)


@pytest.mark.gpu
def test_tensors_on_the_gpu_score_like_arrays(mode: str) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    signed = MAPS - 0.5
    evaluator, reference = Evaluator(), Evaluator()
    for _ in range(2):
        evaluator.update(torch.from_numpy(signed).cuda(), torch.from_numpy(MASKS).cuda(), groups=GROUPS)
        reference.update(signed, MASKS, groups=GROUPS)
    assert evaluator.compute() == reference.compute()


def test_scores_that_stay_tensors_as_on_a_gpu_are_counted_like_arrays(mode: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = PixelStore(), PixelStore()
    batch = checked_batch(
        MAPS - np.float32(0.5), MASKS, classes=["a", "b", "a", "a", "b", "b"], groups=GROUPS
    )
    for _ in range(2):  # the first batch is kept, and spilled into the bins where these are to be used
        ours.add(replace(batch, scores=torch.from_numpy(batch.scores)))
        theirs.add(batch)
    cells = [cell for owners, _ in theirs.kept or () for cell in owners] or list(theirs.bins)
    for cell in cells:
        one, other = (store.counts([cell], 3, -0.5, 1.0) for store in (ours, theirs))
        for name in ("low", "high", "normal", "anomalous", "overlap"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_counting_bins_of_a_tensor_equals_counting_those_of_the_array() -> None:
    torch = pytest.importorskip("torch")
    from benchmark.metrics.histogram import NORMAL, Histogram
    from benchmark.metrics.keys import count_bins

    spread = np.geomspace(1e-38, 1.0, 500, dtype=np.float32)
    extremes = np.float32([-0.0, 0.0, 1e-45, -3e38])
    for values in (
        MAPS.ravel(),
        MAPS.ravel() - np.float32(0.6),
        extremes,
        spread,
        np.append(-spread, spread),
    ):
        ours, theirs = Histogram(20), Histogram(20)
        for histogram, scores in ((ours, values), (theirs, torch.from_numpy(values))):
            for pages, counts in count_bins(scores, 20):
                histogram.add(NORMAL, pages, counts)
        assert ours.occupied()[1].sum() == values.size
        for one, other in zip(ours.occupied(), theirs.occupied(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_state_survives_a_file_without_pickle(mode: str) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **filled(classes=["a", "b", "a", "a", "b", "b"]).state_dict())
    buffer.seek(0)
    restored = Evaluator.from_state_dict(dict(np.load(buffer, allow_pickle=False)))
    assert restored.compute() == filled(classes=["a", "b", "a", "a", "b", "b"]).compute()
    restored.update(MAPS, MASKS, classes=["a"] * 6)
    assert len(restored.images) == 12


def test_a_state_that_is_none_is_refused() -> None:
    state = filled().state_dict()
    for broken in ({}, {**state, "version": np.array(99)}, {**state, "kept/cells_sizes": np.array([77])}):
        with pytest.raises(InputError):
            Evaluator.from_state_dict(broken)
    with pytest.raises(InputError, match="cannot be merged"):
        Evaluator().merge(Evaluator(keep_scores=True))


def test_the_state_stays_below_200_megabytes_for_scores_of_every_magnitude_in_25_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmark.metrics.store.KEPT_PIXELS", 0)
    bits = np.random.default_rng(0).integers(0, 2**32, (25, 128, 128), dtype=np.uint32)
    scores = bits.view(np.float32)
    scores[~np.isfinite(scores)] = 0
    masks = np.zeros(scores.shape, bool)
    masks[:, :64] = True
    evaluator = Evaluator()
    for _ in range(2):
        evaluator.update(scores, masks, groups=[(f"category:{index}",) for index in range(25)])
        assert sum(array.nbytes for array in evaluator.state_dict().values()) < 200e6
    evaluation = evaluator.compute()
    assert evaluation.metrics["exact"]["pixel_auroc"] == pytest.approx(0.5, abs=0.01)
    assert len(evaluation.per_group) == 25


def test_computing_many_groups_takes_no_more_memory_than_computing_one() -> None:
    random = np.random.default_rng(0)
    maps, masks = random.random((24, 64, 64), np.float32), np.zeros((24, 64, 64), bool)
    masks[12:, :32] = True

    def peak(groups: int) -> int:
        evaluator = Evaluator()
        names = [[] if index < 12 else [f"category:{index % groups}"] for index in range(24)]
        evaluator.update(maps, masks, groups=names)
        tracemalloc.start()
        try:
            assert len(evaluator.compute().per_group) == groups
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(12) < 1.2 * peak(1)


def test_scores_in_too_narrow_a_range_for_the_bins_are_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.metrics.store.KEPT_PIXELS", 0)
    evaluator = Evaluator()
    evaluator.update(1000 + MAPS, MASKS)
    assert "coarse-bins" in evaluator.compute().flags


def test_importing_the_engine_does_not_import_torch() -> None:
    code = "import sys, benchmark.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_point_at_a_false_positive_rate_of_exactly_the_limit_is_left_out_under_ader() -> None:
    maps = np.array([[[0.0] * 7 + [0.5] * 2 + [1.0] * 2]])  # 10 normal pixels: rates .3 and .1 only
    masks = np.zeros(maps.shape, bool)
    masks[0, 0, -1] = True
    with pytest.warns(UndefinedMetricWarning, match="fewer than two of its 100 thresholds"):
        assert np.isnan(evaluate(maps, masks)["aupro"])


def test_the_bounds_of_binned_metrics_are_narrow_and_none_where_scores_are_kept() -> None:
    rng = np.random.default_rng(5)
    masks = np.zeros((20, 512, 512), bool)
    masks[10:, 100:200, 100:300] = True
    evaluator = Evaluator()
    evaluator.update((rng.gamma(2, 0.2, masks.shape) + 0.3 * masks).astype(np.float32), masks)
    bounds = evaluator.compute().error_bounds
    assert 0 < bounds["exact/pixel_auroc"] < 1e-3
    assert 0 < bounds["exact/pixel_ap"] < 1e-3
    assert max(bounds.values()) < 0.01
    kept = Evaluator()
    kept.update(MAPS, MASKS)
    assert set(kept.compute().error_bounds.values()) == {0.0}


def test_the_function_passes_on_labels_protocol_and_the_wish_to_keep_scores() -> None:
    masks = np.zeros((3, 4, 4), bool)
    masks[2, :2, :2] = True
    maps = np.stack([np.full((4, 4), value) for value in (0.1, 0.3, 0.2)])
    maps[2, 0, 0] = 0.30000000000000004  # float32 has no number between it and 0.3
    labels = [0, 1, 1]
    whole = evaluate(maps, masks, labels, protocol="exact", keep_scores=True)
    assert whole["image_auroc"] == 1
    assert evaluate(maps, masks, protocol="exact", keep_scores=True)["image_auroc"] == 1
    assert evaluate(maps, masks, protocol="exact")["image_auroc"] == 0.75
    assert evaluate(maps, masks, [0, 1, 0], protocol="exact", keep_scores=True)["image_auroc"] == 0.5
