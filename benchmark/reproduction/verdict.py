"""Ours beside theirs: is a published figure met, missed, or not to be compared, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmark.reproduction.plan import MEAN, Figure, Plan, Target
from benchmark.runs.record import Metrics, Record

PROTOCOL = "ader"  # the dialect of the published figures
SEEN_SHARE = 0.1  # by how much the images seen in training may differ from the published training's
LEAST_SHARE = 0.25  # of the published training's images, below which there is nothing to set beside it

Finding = Literal["reproduced", "off", "not comparable"]


@dataclass(frozen=True)
class Measured:
    """What one of our runs reached on one part after some epochs.

    Attributes:
        record: of the run.
        part: a class, a split or ``mean``.
        epoch: of our training; 1 where the method looks at every image once.
        images: seen in training by then, repetitions included.
        metrics: fractions, under the protocol ``ader``.
    """

    record: Record
    part: str
    epoch: int
    images: int
    metrics: Metrics


@dataclass(frozen=True)
class Verdict:
    """One published figure and what became of it.

    Attributes:
        target: whose figure it is.
        theirs: as published.
        ours: the measurement beside it; None: there is none yet.
        differences: ours minus theirs by metric, in points.
        reasons: why the two cannot be compared; empty where they can.
        missed: metrics whose difference is beyond the tolerance.
    """

    target: Target
    theirs: Figure
    ours: Measured | None
    differences: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def finding(self) -> Finding:
        """The verdict in one word."""
        if self.reasons:
            return "not comparable"
        return "off" if self.missed else "reproduced"

    @property
    def text(self) -> str:
        """The verdict in words."""
        if self.ours is None:
            return "not run"
        worst = max(self.differences.items(), key=lambda pair: abs(pair[1]))
        if self.reasons:
            return f"not comparable: {'; '.join(self.reasons)}"
        if self.missed:
            name, points = max(
                ((name, self.differences[name]) for name in self.missed), key=lambda p: abs(p[1])
            )
            return f"off by {points:+.1f} ({name})"
        return f"reproduced (at most {abs(worst[1]):.1f} points off)"


def verdict(plan: Plan, target: Target, theirs: Figure, ours: Measured | None) -> Verdict:
    """Hold one of our measurements against a published figure."""
    if ours is None:
        return Verdict(target, theirs, None)
    differences = {
        name: 100 * (value - theirs.metrics[name])
        for name in plan.metrics
        if (value := ours.metrics.get(name)) is not None
    }
    missed = tuple(
        name
        for name in plan.metrics
        if name not in differences or abs(differences[name]) > plan.allowed(name, theirs.part)
    )
    return Verdict(target, theirs, ours, differences, tuple(_reasons(plan, target, theirs, ours)), missed)


def measured(
    record: Record, epoch: int, images: int, overall: Metrics, by_class: Mapping[str, Metrics]
) -> list[Measured]:
    """Return what a run reached after ``epoch``, of ``images``: on each class, and on all of them as the mean.

    A split of COCO-AD is one part, named by its number.
    """
    if record.dataset.split is not None:
        return [Measured(record, str(record.dataset.split), epoch, images, overall)]
    found = [Measured(record, name, epoch, images, metrics) for name, metrics in by_class.items()]
    return [*found, Measured(record, MEAN, epoch, images, overall)]


def nearest(plan: Plan, theirs: Figure, ours: Sequence[Measured]) -> Measured | None:
    """Return the measurement of the figure's part whose training saw the most similar number of images.

    None where the training ended long before: a figure at a tenth of the images says nothing of the whole. What is
    less than nearly as many is shown, and is a reason not to compare.
    """
    wanted = seen_by_theirs(plan, theirs)
    here = [each for each in ours if each.part == theirs.part]
    if not here:
        return None
    best = min(here, key=lambda each: abs(each.images - wanted))
    return best if best.images >= LEAST_SHARE * wanted or best.epoch == 1 else None


def seen_by_theirs(plan: Plan, figure: Figure) -> int:
    """Return how many images the published training had seen at a figure, repetitions included."""
    if plan.setting == "together":
        return figure.epoch * sum(counts.train_normal for counts in plan.counts.values())
    return 0 if figure.part == MEAN else figure.epoch * plan.counts[figure.part].train_normal


def _reasons(plan: Plan, target: Target, theirs: Figure, ours: Measured) -> Iterator[str]:
    record = ours.record
    yield from _other_data(plan, theirs, record)
    if record.dataset.image_size != plan.image_size:
        yield f"{record.dataset.image_size} pixels, theirs {plan.image_size}"
    backbone = target.options.get("backbone")
    if backbone and _family(record.method.backbone) != _family(backbone):
        yield f"backbone {record.method.backbone}, theirs {_family(backbone)}"
    if record.method.weights in ("random", "offline"):
        yield f"{record.method.weights} weights"
    wanted, seen = seen_by_theirs(plan, theirs), ours.images
    if wanted and theirs.epoch > 1 and abs(seen - wanted) > SEEN_SHARE * wanted:
        yield f"{seen:,} training images seen, theirs {wanted:,}"


def _other_data(plan: Plan, theirs: Figure, record: Record) -> Iterator[str]:
    data = record.dataset
    if data.unofficial:
        yield f"built with {', '.join(data.unofficial)}"
    if plan.setting == "together" and set(data.classes) != set(plan.counts):
        yield f"{len(set(data.classes) & set(plan.counts))} of {len(plan.counts)} classes together"
        return
    if plan.setting == "by class" and len(data.classes) != 1:
        yield f"{len(data.classes)} classes together, theirs one"
        return
    parts = list(plan.counts) if plan.setting == "together" else [theirs.part]
    expected = [plan.counts[part] for part in parts if part in plan.counts]
    wanted = (
        sum(counts.train_normal for counts in expected),
        sum(counts.test_normal for counts in expected),
        sum(counts.test_anomalous for counts in expected),
    )
    found = data.train_normal, data.test_normal, data.test_anomalous
    if expected and found != wanted:
        yield f"{'/'.join(map(str, found))} images (train, normal, anomalous), theirs {'/'.join(map(str, wanted))}"


def _family(backbone: str | None) -> str:
    """Return a timm name without the tag of its weights."""
    return (backbone or "none").partition(".")[0]
