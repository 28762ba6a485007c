"""What a training tells of itself, whatever trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from benchmark.training.log import EpochRow


class Listener(Protocol):
    """Hears how a training goes on; calls of ``on_step`` must be cheap."""

    def on_step(self, done: int, total: int, loss: Tensor, images_per_s: float, waiting: float) -> None:
        """After each step: how many of how many, its loss, and the share of time spent waiting for images."""

    def on_row(self, row: EpochRow) -> None:
        """Of each epoch of a training by gradient, those of an earlier attempt first; in every process."""

    def on_epoch(self, done: int, last: bool) -> None:
        """After each epoch, in every process."""


@dataclass(frozen=True)
class Fitted:
    """What a training was: seconds, and images seen by all processes."""

    seconds: float
    images: int
