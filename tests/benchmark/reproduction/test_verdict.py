"""Published figures beside ours: what counts as met, and what cannot be compared."""

from __future__ import annotations

import msgspec
import pytest

from benchmark.reproduction.plan import MEAN, Figure, Plan, figures, read_plan
from benchmark.reproduction.verdict import Measured, Verdict, measured, nearest, verdict
from benchmark.runs.record import Cost, DatasetInfo, MethodInfo, Record

METRICS = {"image_auroc": 0.9, "pixel_auroc": 0.95, "aupro": 0.8}


@pytest.fixture
def plan() -> Plan:
    return read_plan("mvtec-ad")


def record_of(
    plan: Plan, classes: list[str] | None = None, backbone: str = "resnet34.bt_in1k", **changes: object
) -> Record:
    """Return a record of a run on the plan's classes, all of their images there."""
    names = list(plan.counts) if classes is None else classes
    counts = [plan.counts[name] for name in names]
    data = DatasetInfo(
        name="mvtec",
        layout="folder",
        split=None,
        hash="0" * 64,
        image_size=256,
        classes=names,
        train_normal=sum(each.train_normal for each in counts),
        test_normal=sum(each.test_normal for each in counts),
        test_anomalous=sum(each.test_anomalous for each in counts),
    )
    return Record(
        format="cocoad-run",
        format_version=1,
        method=MethodInfo(name="invad-lite", backbone=backbone, weights="imagenet"),
        dataset=msgspec.structs.replace(data, **changes),
        seed=42,
        preset="paper",
        epochs=100,
        metrics={"ader": dict(METRICS)},
        per_class={name: {"ader": dict(METRICS)} for name in names},
        per_group={},
        undefined={},
        flags=[],
        cost=Cost(),
        environment={},
        config={},
        finished_at="2026-01-01T00:00:00+00:00",
    )


def judged(plan: Plan, record: Record, theirs: dict[str, float], epoch: int = 100) -> Verdict:
    target = next(each for each in plan.targets if each.name == "invad-lite")
    ours = measured(record, 100, 100 * record.dataset.train_normal, record.metrics["ader"], {})
    figure = Figure(MEAN, epoch, theirs)
    return verdict(plan, target, figure, nearest(plan, figure, ours))


def test_a_figure_within_the_tolerance_is_reproduced(plan: Plan) -> None:
    found = judged(plan, record_of(plan), {"image_auroc": 0.91, "pixel_auroc": 0.94, "aupro": 0.814})
    assert (found.finding, found.text) == ("reproduced", "reproduced (at most 1.4 points off)")


def test_a_figure_beyond_the_tolerance_is_off_by_its_worst_metric(plan: Plan) -> None:
    found = judged(plan, record_of(plan), {"image_auroc": 0.92, "pixel_auroc": 0.95, "aupro": 0.85})
    assert (found.finding, found.text) == ("off", "off by -5.0 (aupro)")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": ["bottle", "screw"]}, "2 of 15 classes together"),
        ({"backbone": "resnet18.tv_in1k"}, "backbone resnet18.tv_in1k, theirs resnet34"),
        ({"image_size": 224}, "224 pixels, theirs 256"),
        ({"train_normal": 3620}, "3620/467/1258 images"),
    ],
)
def test_what_differs_makes_a_figure_not_comparable(
    plan: Plan, changes: dict[str, object], reason: str
) -> None:
    found = judged(plan, record_of(plan, **changes), METRICS, epoch=10)  # type: ignore[arg-type]
    if "classes" in changes:  # a hundred epochs of two classes are fifteen of all
        found = judged(plan, record_of(plan, **changes), METRICS, epoch=14)  # type: ignore[arg-type]
    assert found.finding == "not comparable"
    assert reason in found.text


def test_a_training_that_ended_early_has_nothing_to_say(plan: Plan) -> None:
    record = record_of(plan)
    ours = measured(record, 10, 36_290, record.metrics["ader"], {})
    assert nearest(plan, Figure(MEAN, 100, METRICS), ours) is None


def test_the_look_that_saw_the_most_similar_number_of_images_is_taken(plan: Plan) -> None:
    record = record_of(plan, classes=["bottle", "screw"])
    looks = [Measured(record, "bottle", epoch, 512 * epoch, METRICS) for epoch in (19, 38, 57, 71, 80)]
    taken = nearest(plan, Figure("bottle", 10, METRICS), looks)
    assert taken is not None
    assert taken.epoch == 71  # 36,352 images of the two; the log's ten epochs of all are 36,290


def test_the_published_figures_of_a_class_stand_in_the_plan(plan: Plan) -> None:
    target = next(each for each in plan.targets if each.name == "invad-lite")
    found = {(each.part, each.epoch): each.metrics for each in figures(plan, target)}
    assert found["bottle", 10] == {"image_auroc": 0.99048, "pixel_auroc": 0.97835, "aupro": 0.94599}
    assert ("mean", 100) in found
