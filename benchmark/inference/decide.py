"""From scores and maps to decisions: anomalous or normal, how surprising, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from benchmark.decision.regions import Region, regions
from benchmark.decision.thresholds import BEST_F1, DEFAULT_RATE, at_false_alarm_rate, p_values
from benchmark.runs.thresholds import Level, Threshold
from cocoad.base.errors import InputError

BY_RATE = "fpr="


@dataclass(frozen=True)
class Chosen:
    """A threshold in use: greater is anomalous; ``said`` is where it comes from."""

    value: float
    said: str


@dataclass(frozen=True)
class Decision:
    """What is decided of one image.

    Attributes:
        score: of the image.
        anomalous: whether it exceeds the threshold; None: there is no threshold.
        p_value: the chance that a normal image scores at least so high, by the held-out ones; None: there are none.
        regions: of pixels above the pixel threshold, the highest peak first, in pixels of the image.
        mask: those pixels, bool (H, W) in the image's own size; None: there is no pixel threshold.
    """

    score: float
    anomalous: bool | None
    p_value: float | None
    regions: list[Region]
    mask: npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class Decider:
    """The thresholds in use, and the held-out scores."""

    image: Chosen | None
    pixel: Chosen | None
    held_out: npt.NDArray[np.float64]

    def decide(self, score: float, heat: npt.NDArray[np.float32], size: tuple[int, int]) -> Decision:
        """Decide on an image of ``size`` (width, height) with its score and its map (S, S)."""
        p_value = float(p_values(self.held_out, np.array([score]))[0]) if self.held_out.size else None
        anomalous = None if self.image is None else score > self.image.value
        if self.pixel is None:
            return Decision(score, anomalous, p_value, [], None)
        spread = np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR), np.float32)
        mask = spread > self.pixel.value
        return Decision(score, anomalous, p_value, regions(spread, self.pixel.value), mask)


def decider(
    thresholds: Sequence[Threshold],
    held_out: Sequence[float],
    image: str | float | None = None,
    pixel: str | float | None = None,
) -> Decider:
    """Return the decider of a run's thresholds; see :meth:`benchmark.inference.Model.decider`."""
    scores = np.asarray(held_out, dtype=np.float64)
    return Decider(
        _of_images(thresholds, scores, image) if image is not None else _default("image", thresholds),
        _recorded("pixel", thresholds, pixel) if pixel is not None else _default("pixel", thresholds),
        scores,
    )


def _default(level: Level, thresholds: Sequence[Threshold]) -> Chosen | None:
    """Return the one by false alarms of images, and of pixels that at best F1; else the other."""
    found = [each for each in thresholds if each.level == level]
    found.sort(key=lambda each: (each.rule == BEST_F1) == (level == "image"))
    return _said(found[0]) if found else None


def _of_images(
    thresholds: Sequence[Threshold], held_out: npt.NDArray[np.float64], asked: str | float
) -> Chosen:
    rate = _rate(asked)
    if rate is None:
        return _recorded("image", thresholds, asked)
    if not held_out.size:
        raise InputError(
            f"no threshold {asked}: no normal images were held out of this run's training; train with "
            "--calibration-share 0.15, or give --threshold VALUE or f1"
        )
    value, promised = at_false_alarm_rate(held_out, rate)
    said = f"{asked}, from {held_out.size} held-out normal images"
    if promised > rate:
        needed = math.ceil(1 / rate) - 1
        said += f", which promise {100 * promised:.1f} % (for {100 * rate:g} % hold out {needed})"
    return Chosen(value, said)


def _recorded(level: Level, thresholds: Sequence[Threshold], asked: str | float) -> Chosen:
    try:
        value = float(asked)
    except ValueError:
        pass
    else:
        if not math.isfinite(value):
            raise InputError(f"a threshold of {asked} decides nothing: give a finite number")
        return Chosen(value, "as given")
    rate = _rate(asked)
    wanted = asked if rate is None else f"{BY_RATE}{rate:g}"
    of_level = {each.rule: each for each in thresholds if each.level == level}
    if wanted not in of_level:
        there = ", ".join(of_level) or "none"
        option = "--threshold" if level == "image" else "--pixel-threshold"
        raise InputError(f"no {level} threshold {asked!r}: this run has {there}; or give {option} VALUE")
    return _said(of_level[wanted])


def _rate(asked: str | float) -> float | None:
    """Return the rate of ``fpr=RATE``; None: something else was asked for."""
    if not isinstance(asked, str) or not asked.startswith(BY_RATE):
        return None
    try:
        rate = float(asked.removeprefix(BY_RATE))
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1:
        raise InputError(f"{asked}: a rate of false alarms lies between 0 and 1, as in fpr={DEFAULT_RATE}")
    return rate


def _said(threshold: Threshold) -> Chosen:
    if threshold.rule == BEST_F1:
        return Chosen(threshold.value, f"{BEST_F1}, fitted on the test set")
    said = f"{threshold.rule}, from {threshold.samples:,} {threshold.fitted_on}"
    if threshold.level == "pixel":
        said = f"{threshold.rule}, from the pixels of {threshold.fitted_on}"
    elif threshold.promised_rate is not None:
        said += f", which promise {100 * threshold.promised_rate:.1f} %"
    return Chosen(threshold.value, said)
