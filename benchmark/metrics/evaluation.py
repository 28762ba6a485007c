"""The result of an evaluation: metrics over all classes, per class and per group, and their caveats."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from benchmark.metrics.counts import ScoreCounts
from benchmark.metrics.protocols import (
    Protocol,
    Reasons,
    Scores,
    averaged,
    image_metrics,
    pixel_metrics,
    with_aggregates,
)
from benchmark.metrics.thresholds import hinges_on_outliers

OUTLIER_PIXEL = "outlier-pixel"
COARSE_BINS = "coarse-bins"
COARSE_FROM = 0.005  # guaranteed error of a metric from which on the result says so

Value = TypeVar("Value")


class UndefinedMetricWarning(UserWarning):
    """A metric is NaN, because what came in does not define it."""


class Subset(NamedTuple):
    """A class or a group: counts of image scores per protocol (the labels differ), and of pixels."""

    images: Mapping[Protocol, ScoreCounts]
    pixels: ScoreCounts


@dataclass(frozen=True)
class Evaluation:
    """Metrics as fractions, NaN where undefined.

    Attributes:
        metrics: per protocol the eleven metrics and ``mad*``, averaged over classes.
        per_class: the same of each class.
        per_group: the same of each group (its anomalous images against all normal ones), averaged over the
            classes that have the group.
        undefined: why a metric is NaN, by "protocol/metric"; of a single class or group by
            "class:<name>/protocol/metric" and "<group>/protocol/metric".
        flags: "outlier-pixel" where the metrics at normalised thresholds hinge on few extreme pixels;
            "coarse-bins" where the bins are too wide for the scores to guarantee an error below 0.005.
        error_bounds: by "protocol/metric", how far binning can at most have moved it; 0 where scores were
            kept. For ``ader/aupro``, which is no continuous function of the scores, it is an estimate.
    """

    metrics: dict[Protocol, Scores]
    per_class: dict[str, dict[Protocol, Scores]]
    per_group: dict[str, dict[Protocol, Scores]]
    undefined: dict[str, str]
    flags: list[str]
    error_bounds: dict[str, float]


def evaluation_of(
    classes: Mapping[str, Subset], groups: Mapping[tuple[str, str], Subset], protocols: Sequence[Protocol]
) -> Evaluation:
    """Score classes, groups (by group and class) and the mean over classes; warn of what is undefined."""
    metrics: dict[Protocol, Scores] = {}
    per_class: dict[str, dict[Protocol, Scores]] = {name: {} for name in classes}
    per_group: dict[str, dict[Protocol, Scores]] = {name: {} for name, _ in groups}
    undefined: dict[str, str] = {}
    bounds: dict[str, float] = {}
    for protocol in protocols:
        scored = {name: _scored(subset, protocol) for name, subset in classes.items()}
        metrics[protocol], reasons = averaged(scored)
        undefined |= _named(f"{protocol}/", reasons)
        _warn(protocol, reasons)
        for name, (scores, reasons) in scored.items():
            per_class[name][protocol] = scores
            if len(classes) > 1:
                undefined |= _named(f"class:{name}/{protocol}/", reasons)
        for group in per_group:
            parts = {name: _scored(subset, protocol) for (of, name), subset in groups.items() if of == group}
            per_group[group][protocol], reasons = averaged(parts)
            undefined |= _named(f"{group}/{protocol}/", reasons)
        bounds |= _named(f"{protocol}/", _bounds(list(classes.values()), protocol))
    flags = [OUTLIER_PIXEL] if any(hinges_on_outliers(subset.pixels) for subset in classes.values()) else []
    if any(bound > COARSE_FROM for bound in bounds.values()):
        flags.append(COARSE_BINS)
    return Evaluation(metrics, per_class, per_group, undefined, flags, bounds)


def _scored(subset: Subset, protocol: Protocol) -> tuple[Scores, Reasons]:
    images, why_images = image_metrics(subset.images[protocol])
    pixels, why_pixels = pixel_metrics(subset.pixels, protocol)
    return with_aggregates(images | pixels, why_images | why_pixels)


def _bounds(subsets: Sequence[Subset], protocol: Protocol) -> Scores:
    """Return the mean over classes of how far each pixel metric can lie from its value."""
    bounds: Scores = {}
    for subset in subsets:
        even, best, worst = (
            pixel_metrics(subset.pixels, protocol, side)[0] for side in ("even", "best", "worst")
        )
        for name, value in even.items():
            spread = max(best[name] - value, value - worst[name], 0.0) if subset.pixels.binned.any() else 0.0
            bounds[name] = bounds.get(name, 0.0) + spread / len(subsets)
    return bounds


def _named(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {prefix + name: value for name, value in values.items()}


def _warn(protocol: str, reasons: Reasons) -> None:
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if not name.startswith("mad"):
            by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        message = f"undefined under the protocol {protocol}: {', '.join(names)} ({reason})"
        warnings.warn(message, UndefinedMetricWarning, stacklevel=4)
