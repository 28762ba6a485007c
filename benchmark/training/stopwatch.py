"""How long a training takes, and how much of that it waits for images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Stopwatch:
    """Seconds of training, without what is done between laps and is none; a checkpoint carries them."""

    seconds: float = 0.0  # so far, of all attempts
    epoch_s: float = 0.0  # of the epoch under way
    waited_s: float = 0.0  # of those, spent waiting for images
    read_at: float = field(default_factory=time.perf_counter, compare=False)

    def start(self) -> None:
        """Go on from now: what was done since the last lap does not count."""
        self.read_at = time.perf_counter()

    def lap(self) -> float:
        """Count the seconds since the last reading, and return them."""
        now = time.perf_counter()
        passed, self.read_at = now - self.read_at, now
        self.seconds += passed
        self.epoch_s += passed
        return passed

    def timed(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield the batches; the time until each has come is that of waiting."""
        self.start()
        for batch in batches:
            self.waited_s += self.lap()
            yield batch

    def new_epoch(self) -> None:
        """Begin to count another epoch."""
        self.epoch_s = self.waited_s = 0.0
