"""Thresholds as a record has them: which, how they came about, and what they miss and raise."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

Level = Literal["image", "pixel"]
FittedOn = Literal["held-out normal images", "test set"]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Number = Annotated[int, msgspec.Meta(ge=0)]


class Rate(msgspec.Struct, frozen=True):
    """``count`` of ``of`` images or pixels, and its 95 % interval (Wilson); fractions."""

    count: Number
    of: Number
    low: Share
    high: Share

    @property
    def share(self) -> float:
        """The fraction; NaN where there is nothing to count."""
        return self.count / self.of if self.of else math.nan


class Threshold(msgspec.Struct, frozen=True):
    """One threshold and what it does on the test set.

    Attributes:
        level: of images or of pixels.
        rule: ``f1``, or ``fpr=RATE``: what it was chosen for.
        value: in units of the scores; greater is anomalous.
        fitted_on: where it comes from. One that is fitted on the test set promises nothing of other images.
        samples: images (or, of pixels, pixels) that it was fitted on.
        promised_rate: of false alarms, on new normal images like the held-out ones; None: nothing is promised.
        missed: anomalous ones of the test set that it does not find; None: there are none.
        false_alarms: normal ones of the test set that it raises; None: there are none.
    """

    level: Level
    rule: str
    value: float
    fitted_on: FittedOn
    samples: Number
    promised_rate: Share | None = None
    missed: Rate | None = None
    false_alarms: Rate | None = None
