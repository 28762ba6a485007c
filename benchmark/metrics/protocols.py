"""The two protocols: from counts to the eleven named metrics, their aggregates, and why one is undefined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from benchmark.metrics.counts import ScoreCounts, Side
from benchmark.metrics.ranking import (
    aupro,
    auroc,
    average_precision,
    f1_max,
    iou_max,
    true_and_false_positives,
)
from benchmark.metrics.thresholds import aupro_at_steps, mid_metrics, normalised, sweep_metrics

Protocol = Literal["ader", "exact"]
PROTOCOLS: tuple[Protocol, ...] = ("ader", "exact")

IMAGE_METRICS = ("image_auroc", "image_ap", "image_f1_max")
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_f1_max")
MID_METRICS = ("pixel_f1_.2_.8", "pixel_acc_.2_.8", "pixel_iou_.2_.8")
METRICS = (*IMAGE_METRICS, *PIXEL_METRICS, "aupro", *MID_METRICS, "pixel_iou_max")
AGGREGATES: dict[str, tuple[str, ...]] = {
    "mad_image": IMAGE_METRICS,
    "mad_pixel": PIXEL_METRICS,
    "mad_.2_.8": MID_METRICS,
    "mad": (*IMAGE_METRICS, *PIXEL_METRICS, "aupro"),
}

Scores = dict[str, float]
Reasons = dict[str, str]

_NO_ANOMALOUS_IMAGE, _NO_NORMAL_IMAGE = "no anomalous image", "no normal image"
_NO_ANOMALOUS_PIXEL, _NO_NORMAL_PIXEL = "no anomalous pixel", "no normal pixel"
_CONSTANT = "all pixels have the same score, so that min–max normalisation is undefined"
_ONE_RATE = "fewer than two of its 100 thresholds have different false-positive rates below 0.3"


def image_metrics(counts: ScoreCounts) -> tuple[Scores, Reasons]:
    """Return the three image metrics of counts of image scores, and why an undefined one is."""
    scores = dict.fromkeys(IMAGE_METRICS, float("nan"))
    if not counts.anomalous.sum():
        return scores, dict.fromkeys(IMAGE_METRICS, _NO_ANOMALOUS_IMAGE)
    tp, fp = true_and_false_positives(counts.normal, counts.anomalous)
    scores["image_ap"] = average_precision(counts.normal, counts.anomalous)
    scores["image_f1_max"] = f1_max(tp, fp, tp[-1])
    if not counts.normal.sum():
        return scores, {"image_auroc": _NO_NORMAL_IMAGE}
    scores["image_auroc"] = auroc(counts.normal, counts.anomalous)
    return scores, {}


def pixel_metrics(counts: ScoreCounts, protocol: Protocol, side: Side = "even") -> tuple[Scores, Reasons]:
    """Return the eight pixel metrics of counts of pixel scores, and why an undefined one is.

    ``side`` says how pixels are thought to lie within their bins (see :class:`ScoreCounts`).
    """
    names = (*PIXEL_METRICS, "aupro", *MID_METRICS, "pixel_iou_max")
    if not counts.anomalous.sum():
        return dict.fromkeys(names, float("nan")), dict.fromkeys(names, _NO_ANOMALOUS_PIXEL)
    scores, reasons = _ranks(counts.ordered(side), protocol)
    if counts.minimum == counts.maximum:
        hinging = (*MID_METRICS, *(("pixel_f1_max", "pixel_iou_max") if protocol == "ader" else ()))
        scores.update(dict.fromkeys(hinging, float("nan")))
        reasons.update(dict.fromkeys(hinging, _CONSTANT))
    else:
        unit = normalised(counts)
        scores.update(zip(MID_METRICS, mid_metrics(unit, side), strict=True))
        if protocol == "ader":
            scores["pixel_f1_max"], scores["pixel_iou_max"] = sweep_metrics(unit, side)
    if protocol == "ader" and "aupro" not in reasons:
        scores["aupro"] = aupro_at_steps(counts, side)
        if np.isnan(scores["aupro"]):
            reasons["aupro"] = _ONE_RATE
    return scores, reasons


def _ranks(counts: ScoreCounts, protocol: Protocol) -> tuple[Scores, Reasons]:
    tp, fp = true_and_false_positives(counts.normal, counts.anomalous)
    scores = {"pixel_ap": average_precision(counts.normal, counts.anomalous)}
    if protocol == "exact":
        scores["pixel_f1_max"] = f1_max(tp, fp, tp[-1])
        scores["pixel_iou_max"] = iou_max(tp, fp, tp[-1])
    if not counts.normal.sum():
        missing = ("pixel_auroc", "aupro")
        return scores | dict.fromkeys(missing, float("nan")), dict.fromkeys(missing, _NO_NORMAL_PIXEL)
    scores["pixel_auroc"] = auroc(counts.normal, counts.anomalous)
    if protocol == "exact":
        scores["aupro"] = aupro(counts.normal, counts.overlap, counts.regions)
    return scores, {}


def with_aggregates(scores: Mapping[str, float], reasons: Mapping[str, str]) -> tuple[Scores, Reasons]:
    """Return the eleven metrics in their order, followed by the means ``mad*`` of them, and all reasons."""
    full = {name: scores[name] for name in METRICS}
    why = dict(reasons)
    for name, parts in AGGREGATES.items():
        full[name] = float(np.mean([scores[part] for part in parts]))
        undefined = [part for part in parts if np.isnan(scores[part])]
        if undefined:
            why[name] = f"{', '.join(undefined)} {'is' if len(undefined) == 1 else 'are'} undefined"
    return full, why


def averaged(parts: Mapping[str, tuple[Scores, Reasons]]) -> tuple[Scores, Reasons]:
    """Return the mean over classes; a metric that is undefined in one class is so, never skipped."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    names: Iterable[str] = (*METRICS, *AGGREGATES)
    if not parts:
        nothing = dict.fromkeys(names, "no image")
        return dict.fromkeys(names, float("nan")), nothing
    mean = {name: float(np.mean([scores[name] for scores, _ in parts.values()])) for name in names}
    why: Reasons = {}
    for class_name, (_, reasons) in parts.items():
        for name, reason in reasons.items():
            why[name] = f"{why[name]}; " if name in why else ""
            why[name] += f"class {class_name}: {reason}"
    return mean, why
