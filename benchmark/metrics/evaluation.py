"""The result of an evaluation: metrics over all classes, per class and per group, and their caveats."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from benchmark.metrics.counts import ScoreCounts
from benchmark.metrics.protocols import (
    NO_MAPS,
    Protocol,
    Reasons,
    Scored,
    Scores,
    averaged,
    image_metrics,
    pixel_metrics,
    with_aggregates,
)
from benchmark.metrics.thresholds import hinges_on_outliers
from cocoad.base.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

OUTLIER_PIXEL = "outlier-pixel"
COARSE_BINS = "coarse-bins"
VANISHED_MASKS = "vanished-masks"
PARTLY_MASKED = "partly-masked"
VANISHED_FROM = 0.05  # of the anomalous images that have a mask: if more of them are lost, the result says so
COARSE_FROM = 0.005  # guaranteed error of a metric from which on the result says so

Value = TypeVar("Value")
PixelScores = dict[Protocol, Scored]


class UndefinedMetricWarning(UserWarning):
    """A metric is NaN, because what came in does not define it."""


class Subset(NamedTuple):
    """A class or a group: counts of image scores per protocol (the labels differ), and of pixels if it has any."""

    images: Mapping[Protocol, ScoreCounts]
    pixels: ScoreCounts | None
    why_none: str = NO_MAPS


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
            "coarse-bins" where the bins are too wide for the scores to guarantee an error below 0.005;
            "vanished-masks" where more than 5 % of the masks of anomalous images have no anomalous pixel (any more
            when they are resized), so that ``ader`` takes the images for normal; "partly-masked" where some
            anomalous images have no mask, so that the pixel metrics are over the others.
        error_bounds: by "protocol/metric", how far binning can at most have moved it; 0 where scores were
            kept. For ``ader/aupro``, which is no continuous function of the scores, it is an estimate.
        per_item: image metrics of the things that images show from several sides, averaged over classes: an item's
            score is the largest of its images', and it is anomalous if one of them is. Empty where each image stands
            for itself. Real-IAD (Wang et al., CVPR 2024) calls its AUROC S-AUROC.
    """

    metrics: dict[Protocol, Scores]
    per_class: dict[str, dict[Protocol, Scores]]
    per_group: dict[str, dict[Protocol, Scores]]
    undefined: dict[str, str]
    flags: list[str]
    error_bounds: dict[str, float]
    per_item: Scores = field(default_factory=dict)

    def __repr__(self) -> str:
        values = [
            f"{protocol}/{name} {found[name]:.4f}"
            for protocol, found in self.metrics.items()
            for name in ("image_auroc", "pixel_auroc", "mad")
        ]
        return f"Evaluation({', '.join(values)})"

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for found in self.metrics.values() for name in found))
        rows = [(name, *(found[name] for found in self.metrics.values())) for name in names]
        return html_table(("metric", *self.metrics), rows, ", ".join(self.flags))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each metric of each part (all, a class, a group), a column for each protocol."""
        import pandas as pd

        parts = {"all": self.metrics}
        parts |= {f"class:{name}": found for name, found in self.per_class.items()}
        parts |= self.per_group
        return pd.concat(
            {name: pd.DataFrame(found) for name, found in parts.items()}, names=["part", "metric"]
        )

    def recorded(self) -> dict[str, Any]:
        """Return the fields of a run's record that an evaluation fills; NaN becomes None."""
        return {
            "metrics": _defined(self.metrics),
            "per_class": {name: _defined(found) for name, found in self.per_class.items()},
            "per_group": {name: _defined(found) for name, found in self.per_group.items()},
            "undefined": dict(self.undefined),
            "flags": list(self.flags),
            "per_item": {name: None if math.isnan(value) else value for name, value in self.per_item.items()},
        }


def evaluation_of(
    classes: Iterable[tuple[str, Subset]],
    groups: Iterable[tuple[str, str, Subset]],
    protocols: Sequence[Protocol],
    more_flags: Sequence[str] = (),
    items: Mapping[str, ScoreCounts] | None = None,
) -> Evaluation:
    """Score classes, groups (with the class they are of) and the mean over classes; warn of what is undefined.

    Subsets are taken one after the other and not kept: one may be larger than the state that it comes from.
    """
    by_class: dict[str, dict[Protocol, Scored]] = {}
    by_group: dict[str, dict[str, dict[Protocol, Scored]]] = {}
    spreads, outliers = [], False
    for name, subset in classes:
        pixels = pixel_metrics(subset.pixels, protocols, why_none=subset.why_none)
        by_class[name] = _scored(subset.images, pixels)
        spreads.append(_spreads(subset.pixels, pixels))
        outliers |= subset.pixels is not None and hinges_on_outliers(subset.pixels)
    for group, name, subset in groups:
        pixels = pixel_metrics(subset.pixels, protocols, why_none=subset.why_none)
        by_group.setdefault(group, {})[name] = _scored(subset.images, pixels)
    metrics: dict[Protocol, Scores] = {}
    per_group: dict[str, dict[Protocol, Scores]] = {group: {} for group in by_group}
    undefined: dict[str, str] = {}
    for protocol in protocols:
        metrics[protocol], reasons = averaged({name: of[protocol] for name, of in by_class.items()})
        undefined |= _named(f"{protocol}/", reasons)
        _warn(protocol, reasons)
        if len(by_class) > 1:
            for name, of in by_class.items():
                undefined |= _named(f"class:{name}/{protocol}/", of[protocol][1])
        for group, parts in by_group.items():
            scored = averaged({name: of[protocol] for name, of in parts.items()})
            per_group[group][protocol], reasons = scored
            undefined |= _named(f"{group}/{protocol}/", reasons)
    per_class = {name: {protocol: of[protocol][0] for protocol in protocols} for name, of in by_class.items()}
    bounds = {name: sum(each[name] for each in spreads) / len(spreads) for name in (spreads or [{}])[0]}
    flags = [OUTLIER_PIXEL] if outliers else []
    if any(bound > COARSE_FROM for bound in bounds.values()):
        flags.append(COARSE_BINS)
    flags += more_flags
    per_item = _of_items(items) if items and len(items) == len(by_class) else {}
    return Evaluation(metrics, per_class, per_group, undefined, flags, bounds, per_item)


def _of_items(items: Mapping[str, ScoreCounts]) -> Scores:
    """Return the image metrics of each class's items, averaged over the classes; NaN where one is undefined."""
    scored = [image_metrics(counts)[0] for counts in items.values()]
    return {name: float(sum(scores[name] for scores in scored)) / len(scored) for name in scored[0]}


def _scored(images: Mapping[Protocol, ScoreCounts], pixels: PixelScores) -> dict[Protocol, Scored]:
    scored = {}
    for protocol, (of_pixels, why_pixels) in pixels.items():
        of_images, why_images = image_metrics(images[protocol])
        scored[protocol] = with_aggregates(of_images | of_pixels, why_images | why_pixels)
    return scored


def _spreads(counts: ScoreCounts | None, even: PixelScores) -> Scores:
    """Return by "protocol/metric" how far binning can have moved the pixel metrics ``even`` of ``counts``."""
    spreads = {f"{protocol}/{name}": 0.0 for protocol, (scores, _) in even.items() for name in scores}
    if counts is None or not counts.binned.any():
        return spreads
    best, worst = (pixel_metrics(counts, tuple(even), side) for side in ("best", "worst"))
    for protocol, (scores, _) in even.items():
        for name, value in scores.items():
            above, below = best[protocol][0][name] - value, value - worst[protocol][0][name]
            spreads[f"{protocol}/{name}"] = max(above, below, 0.0)
    return spreads


def _named(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {prefix + name: value for name, value in values.items()}


def _defined(by_protocol: Mapping[Protocol, Scores]) -> dict[str, dict[str, float | None]]:
    return {
        protocol: {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}
        for protocol, metrics in by_protocol.items()
    }


@contextlib.contextmanager
def undefined_said(say: Callable[[str], None]) -> Iterator[None]:
    """Have ``say`` told, a line each, what the block finds undefined, instead of Python's warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UndefinedMetricWarning)
        yield
    for warning in caught:
        say(str(warning.message))


def _warn(protocol: str, reasons: Reasons) -> None:
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if not name.startswith("mad"):
            by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        message = f"undefined under the protocol {protocol}: {', '.join(names)} ({reason})"
        warnings.warn(message, UndefinedMetricWarning, stacklevel=4)
