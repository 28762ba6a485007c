"""The two protocols: from counts to the eleven named metrics, their aggregates, and why one is undefined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from benchmark.metrics.counts import InBin, ScoreCounts
from benchmark.metrics.ranking import (
    FPR_LIMIT,
    aupro,
    auroc,
    average_precision,
    f1_max,
    iou_max,
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
Scored = tuple[Scores, Reasons]

_NO_ANOMALOUS_IMAGE, _NO_NORMAL_IMAGE = "no anomalous image", "no normal image"
_NO_ANOMALOUS_PIXEL, _NO_NORMAL_PIXEL = "no anomalous pixel", "no normal pixel"
NO_MAPS = "there are image scores only, no maps"
NO_MASKS = "no anomalous image has a mask"
_CONSTANT = "all pixels have the same score, so that min–max normalisation is undefined"
_ONE_RATE = f"fewer than two of its 100 thresholds have different false-positive rates below {FPR_LIMIT}"


def image_metrics(counts: ScoreCounts) -> Scored:
    """Return the three image metrics of counts of image scores, and why an undefined one is."""
    scores = dict.fromkeys(IMAGE_METRICS, float("nan"))
    if not counts.anomalous.sum():
        return scores, dict.fromkeys(IMAGE_METRICS, _NO_ANOMALOUS_IMAGE)
    fp, tp, _ = counts.from_the_top
    scores["image_ap"] = average_precision(tp, fp)
    scores["image_f1_max"] = f1_max(tp, fp, tp[-1])
    if not counts.normal.sum():
        return scores, {"image_auroc": _NO_NORMAL_IMAGE}
    scores["image_auroc"] = auroc(tp, fp)
    return scores, {}


def pixel_metrics(
    counts: ScoreCounts | None,
    protocols: Sequence[Protocol],
    side: InBin = "even",
    why_none: str = NO_MAPS,
) -> dict[Protocol, Scored]:
    """Return each protocol's eight pixel metrics of counts of pixel scores, and why one is undefined.

    ``side`` says how pixels are thought to lie within their bins (see :class:`ScoreCounts`), ``why_none`` why there
    are no counts.
    """
    names = (*PIXEL_METRICS, "aupro", *MID_METRICS, "pixel_iou_max")
    if counts is None or not counts.anomalous.sum():
        why = why_none if counts is None else _NO_ANOMALOUS_PIXEL
        nothing = dict.fromkeys(names, float("nan")), dict.fromkeys(names, why)
        return dict.fromkeys(protocols, nothing)
    ranks = counts.ordered(side)
    unit = normalised(counts) if counts.minimum < counts.maximum else None
    shared, reasons = _areas(ranks)
    if unit is None:
        shared |= dict.fromkeys(MID_METRICS, float("nan"))
        reasons |= dict.fromkeys(MID_METRICS, _CONSTANT)
    else:
        shared |= zip(MID_METRICS, mid_metrics(unit, side), strict=True)
    own = {"ader": lambda: _published(counts, unit, side), "exact": lambda: _exact(ranks)}
    scored: dict[Protocol, Scored] = {}
    for protocol in protocols:
        scores, causes = own[protocol]()
        scored[protocol] = (shared | scores, reasons | causes)
    return scored


def _areas(ranks: ScoreCounts) -> Scored:
    """Return the two areas that both protocols define alike."""
    fp, tp, _ = ranks.from_the_top
    scores = {"pixel_auroc": float("nan"), "pixel_ap": average_precision(tp, fp)}
    if not fp[-1]:
        return scores, {"pixel_auroc": _NO_NORMAL_PIXEL}
    return scores | {"pixel_auroc": auroc(tp, fp)}, {}


def _exact(ranks: ScoreCounts) -> Scored:
    """Return the best F1 and IoU over all scores, and the interpolated AUPRO."""
    fp, tp, overlap = ranks.from_the_top
    scores = {"pixel_f1_max": f1_max(tp, fp, tp[-1]), "pixel_iou_max": iou_max(tp, fp, tp[-1])}
    if not fp[-1]:
        return scores | {"aupro": float("nan")}, {"aupro": _NO_NORMAL_PIXEL}
    return scores | {"aupro": aupro(fp, overlap, ranks.regions)}, {}


def _published(counts: ScoreCounts, unit: ScoreCounts | None, side: InBin) -> Scored:
    """Return the best F1, IoU and AUPRO at the published dialect's thresholds; ``unit``: scores in [0, 1]."""
    scores = dict.fromkeys(("pixel_f1_max", "pixel_iou_max", "aupro"), float("nan"))
    reasons = {}
    if unit is None:
        reasons = dict.fromkeys(("pixel_f1_max", "pixel_iou_max"), _CONSTANT)
    else:
        scores["pixel_f1_max"], scores["pixel_iou_max"] = sweep_metrics(unit, side)
    if not counts.normal.sum():
        return scores, reasons | {"aupro": _NO_NORMAL_PIXEL}
    scores["aupro"] = aupro_at_steps(counts, side)
    return scores, reasons | ({"aupro": _ONE_RATE} if np.isnan(scores["aupro"]) else {})


def with_aggregates(scores: Mapping[str, float], reasons: Mapping[str, str]) -> Scored:
    """Return the eleven metrics in their order, followed by the means ``mad*`` of them, and all reasons."""
    full = {name: scores[name] for name in METRICS}
    why = dict(reasons)
    for name, parts in AGGREGATES.items():
        full[name] = float(np.mean([scores[part] for part in parts]))
        undefined = [part for part in parts if np.isnan(scores[part])]
        if undefined:
            why[name] = f"{', '.join(undefined)} {'is' if len(undefined) == 1 else 'are'} undefined"
    return full, why


def averaged(parts: Mapping[str, Scored]) -> Scored:
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


def _with_means(*metrics: str) -> frozenset[str]:
    """Return metrics and the means that contain one of them."""
    means = [mean for mean, parts in AGGREGATES.items() if not set(parts).isdisjoint(metrics)]
    return frozenset(metrics).union(means)


THRESHOLDS_ON_NORMALISED_MAPS = {
    "exact": _with_means(*MID_METRICS),
    "ader": _with_means(*MID_METRICS, "pixel_f1_max", "pixel_iou_max", "aupro"),
}
"""Per protocol, the metrics (and means that contain one) whose thresholds are set by the maps' extremes."""
