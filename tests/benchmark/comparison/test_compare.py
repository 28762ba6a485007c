"""Comparing two runs: what is found, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.comparison.compare import FEWEST, Comparison, compare
from benchmark.comparison.tables import conclusion
from benchmark.metrics.protocols import NO_MAPS
from benchmark.runs.outputs import PREVIEW_SIZE, read_previews, read_scores, write_previews, write_scores
from benchmark.runs.record import read_record, write_record
from cocoad.base.errors import InputError


def by_metric(comparison: Comparison) -> dict[str, Any]:
    return {difference.metric: difference for difference in comparison.overall.differences}


def test_a_run_is_not_better_than_itself(make_scored_run: Any) -> None:
    run = make_scored_run("a")
    for difference in compare(run, run, samples=100).overall.differences:
        assert (difference.found.difference, difference.found.p, difference.better) == (0.0, 1.0, "")


def test_a_clearly_better_run_is_better_on_every_metric_whichever_side_it_is_on(make_scored_run: Any) -> None:
    weak, strong = make_scored_run("a", 0.3), make_scored_run("b", 3.0, seed=2)
    assert {d.better for d in compare(weak, strong, samples=200).overall.differences} == {"B"}
    assert {d.better for d in compare(strong, weak, samples=200).overall.differences} == {"A"}


def test_swapping_the_runs_mirrors_the_intervals(make_scored_run: Any) -> None:
    a, b = make_scored_run("a", 1.0), make_scored_run("b", 1.1, seed=2)
    there, back = by_metric(compare(a, b, samples=200)), by_metric(compare(b, a, samples=200))
    for metric, difference in there.items():
        assert difference.found.low == pytest.approx(-back[metric].found.high)
        assert difference.found.p == pytest.approx(back[metric].found.p)


def test_differences_are_those_of_the_scores_and_previews(make_scored_run: Any) -> None:
    a, b = make_scored_run("a", 1.0), make_scored_run("b", 1.3, seed=2)
    found = by_metric(compare(a, b, samples=100))
    scores = [read_scores(run) for run in (a, b)]
    image = [roc_auc_score([s.label for s in side], [s.score for s in side]) for side in scores]
    assert found["image_auroc"].found.difference == pytest.approx(image[1] - image[0])
    previews = [read_previews(run) for run in (a, b)]
    pixel = [roc_auc_score(side.masks.ravel(), side.maps.ravel()) for side in previews]
    assert found["pixel_auroc"].found.difference == pytest.approx(pixel[1] - pixel[0], abs=1e-4)


def test_values_of_the_records_stand_beside(make_scored_run: Any) -> None:
    a, b = make_scored_run("a", score=0.4, exact=0.45), make_scored_run("b", score=0.5, exact=0.55)
    difference = by_metric(compare(a, b, samples=100))["aupro"]
    assert (difference.first, difference.second) == (0.4, 0.5)  # ader, as in the leaderboard
    difference = by_metric(compare(a, b, samples=100, protocol="exact"))["aupro"]
    assert (difference.first, difference.second) == (0.45, 0.55)


def test_what_the_records_say_otherwise_is_not_decided(make_scored_run: Any) -> None:
    weak, strong = make_scored_run("a", 0.3, score=0.6), make_scored_run("b", 3.0, seed=2, score=0.4)
    comparison = compare(weak, strong, samples=200)
    assert all(
        one.found.low > 0 and one.better == "" and one.contradicted for one in comparison.overall.differences
    )
    assert "Not decided although the interval excludes 0: I-AUROC" in " ".join(conclusion(comparison))


def test_a_group_of_few_images_is_never_decided(make_scored_run: Any) -> None:
    weak, strong = make_scored_run("a", 0.3), make_scored_run("b", 3.0, seed=2)
    for run in (weak, strong):
        rows = read_scores(run)
        rare = [row for row in rows if row.label][: FEWEST - 1]
        write_scores(
            run, [replace(row, groups=("category:rare",) if row in rare else row.groups) for row in rows]
        )
    comparison = compare(weak, strong, samples=200)
    assert comparison.overall.differences[0].better == "B"
    group = comparison.groups["category:rare"]
    assert (group.anomalous, group.enough) == (FEWEST - 1, False)
    assert group.differences[0].found.low > 0
    assert {one.better for one in group.differences} == {""}
    assert "1 groups of fewer than 10 anomalous images are not decided" in " ".join(conclusion(comparison))


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", 1.2, seed=2)
    first = compare(a, b, samples=100, seed=1)
    assert first == compare(a, b, samples=100, seed=1)
    assert first.overall != compare(a, b, samples=100, seed=2).overall


def test_the_order_of_the_images_does_not_matter(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", 1.2, seed=2)
    before = compare(a, b, samples=100).overall
    scores, previews = read_scores(b), read_previews(b)
    order = np.random.default_rng(0).permutation(len(scores))
    write_scores(b, [scores[row] for row in order])
    write_previews(b, previews.maps[order], previews.masks[order].astype(np.float32))
    for one, other in zip(before.differences, compare(a, b, samples=100).overall.differences, strict=True):
        assert one.found.difference == pytest.approx(other.found.difference, abs=1e-6)
        assert one.found.low == pytest.approx(other.found.low, abs=1e-6)


def test_a_group_is_its_anomalous_images_and_all_normal_ones(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", 1.5, seed=2)
    comparison = compare(a, b, samples=100)
    assert list(comparison.groups) == ["category:car", "category:person"]
    assert sum(group.anomalous for group in comparison.groups.values()) == 40
    scores = [[s for s in read_scores(run) if not s.label or "category:car" in s.groups] for run in (a, b)]
    image = [roc_auc_score([s.label for s in side], [s.score for s in side]) for side in scores]
    (found,) = [d for d in comparison.groups["category:car"].differences if d.metric == "image_auroc"]
    assert found.found.difference == pytest.approx(image[1] - image[0])


def test_classes_are_averaged(make_scored_run: Any) -> None:
    from dataclasses import replace

    runs = make_scored_run("a"), make_scored_run("b", 1.5, seed=2)
    image = []
    for run in runs:
        scores = [replace(s, class_name="xy"[i % 2]) for i, s in enumerate(read_scores(run))]
        write_scores(run, scores)
        parts = [[s for s in scores if s.class_name == name] for name in "xy"]
        image.append(np.mean([roc_auc_score([s.label for s in p], [s.score for s in p]) for p in parts]))
    found = by_metric(compare(*runs, samples=100))
    assert found["image_auroc"].found.difference == pytest.approx(image[1] - image[0])


def test_without_previews_image_metrics_are_compared_and_it_is_said(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", seed=2)
    (b / "previews.npz").unlink()
    comparison = compare(a, b, samples=100)
    assert set(by_metric(comparison)) == {"image_auroc", "image_ap", "image_f1_max", "mad_image"}
    assert "recomputed under exact" in comparison.notes[0]
    assert "no pixel metrics" in comparison.notes[1]


def test_runs_of_image_scores_alone_are_compared_by_these_and_it_is_said(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", seed=2)
    record = msgspec.structs.replace(read_record(b), undefined={"ader/aupro": NO_MAPS}, files={})
    write_record(b, record)
    comparison = compare(a, b, samples=100)
    assert set(by_metric(comparison)) == {"image_auroc", "image_ap", "image_f1_max", "mad_image"}
    assert comparison.notes[1] == f"no pixel metrics: {b}: there are image scores only, no maps"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": {"hash": "f" * 64}}, r"different versions of the dataset \(hashes\), A has 0000"),
        ({"split": 1, "dataset": {"hash": "0" * 64}}, "different splits, A has 0 and B has 1"),
        ({"dataset": {"image_size": 512}}, "different resolutions"),
        ({"dataset": {"name": "mtd"}}, "different datasets"),
        ({"metrics": {"other": {}}}, "different protocols"),
    ],
)
def test_runs_on_other_data_or_under_other_rules_are_refused(
    make_scored_run: Any, change: Any, message: str
) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", **change)
    with pytest.raises(InputError, match=message):
        compare(a, b)


def test_runs_on_other_images_labels_or_masks_are_refused(make_scored_run: Any) -> None:
    from dataclasses import replace

    a, b = make_scored_run("a"), make_scored_run("b")
    scores = read_scores(b)
    write_scores(b, [*scores[:-1], replace(scores[-1], id="val/new")])
    with pytest.raises(InputError, match="did not score the same images: 2 differ, such as val/059"):
        compare(a, b)
    write_scores(b, [*scores[:-1], replace(scores[-1], label=1 - scores[-1].label)])
    with pytest.raises(InputError, match="disagree on the label or class of val/059"):
        compare(a, b)
    write_scores(b, [*scores[:-1], replace(scores[-1], score=float("nan"))])
    with pytest.raises(InputError, match="score of val/059 is not a finite number"):
        compare(a, b)
    write_scores(b, scores)
    write_previews(b, read_previews(b).maps, np.zeros((60, PREVIEW_SIZE, PREVIEW_SIZE), np.float32))
    with pytest.raises(InputError, match="different masks under the same dataset hash"):
        compare(a, b)


def test_a_run_that_is_not_finished_or_was_edited_is_refused(
    make_scored_run: Any, edit_record: Any, tmp_path: Path
) -> None:
    a, b = make_scored_run("a"), make_scored_run("b")
    with pytest.raises(InputError, match="holds no finished run"):
        compare(a, tmp_path)
    edit_record(b, seed=7)
    with pytest.raises(InputError, match="was edited"):
        compare(a, b)
