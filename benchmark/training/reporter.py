"""A run on a terminal: one bar for what is going on, with the figures that matter."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark.runs.record import Status, write_status

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REFRESH_S = 0.5  # seconds between two readings of the loss: on a GPU each makes it wait


class Reporter:
    """Tells a person, by a progress bar, and other programs, by ``status.json``, how a run goes on.

    Args:
        directory: of the run.
        epochs: of the training.
        progress: None in all processes but the first: nothing is said then.
        speaks: whether this process writes ``status.json`` and warnings.
    """

    def __init__(self, directory: Path, epochs: int, progress: Progress | None, speaks: bool) -> None:
        self.directory, self.epochs, self.speaks = directory, epochs, speaks
        self._progress = progress if speaks else None
        self._task: TaskID | None = None
        self._told = 0.0
        self.on_epoch(0)

    def on_images(self, done: int, total: int) -> None:
        """While the pixel cache is filled."""
        self._bar("writing the pixel cache", done, total)

    def on_step(self, done: int, total: int, loss: Tensor, images_per_s: float, waiting: float) -> None:
        """After each training step: a table row of loss, images/s, share of waiting, and GPU memory."""
        if self._progress is None or (time.monotonic() - self._told < REFRESH_S and done != total):
            return
        self._told = time.monotonic()
        figures = [f"loss {float(loss):.4g}", f"{images_per_s:.3g} images/s", f"waiting {waiting:.0%}"]
        if loss.is_cuda:
            figures.append(f"{torch.cuda.max_memory_allocated(loss.device) / 2**30:.1f} GiB")
        self._bar("training: " + ", ".join(figures), done, total)

    def on_epoch(self, done: int) -> None:
        """After each epoch."""
        self.status(Status("running", done, self.epochs, pid=os.getpid()))

    def on_scored(self, done: int, total: int) -> None:
        """After each scored batch."""
        self._bar("scoring", done, total)

    def status(self, status: Status) -> None:
        """Write ``status.json``."""
        if self.speaks:
            write_status(self.directory, status)

    def warn(self, message: str) -> None:
        """Say something on stderr that a person should know."""
        if self.speaks:
            print(f"warning: {message}", file=sys.stderr)

    def _bar(self, what: str, done: int, total: int) -> None:
        if self._progress is None:
            return
        if self._task is None:
            self._task = self._progress.add_task(what, total=total)
        self._progress.update(self._task, description=what, completed=done, total=total)
