"""How a run tells how it goes on: a bar on a terminal, lines elsewhere, and ``status.json`` for other programs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark.runs.collect import progress_of
from benchmark.runs.evaluations import Look
from benchmark.runs.files import checkpoints
from benchmark.runs.record import Status, read_status, write_status
from cocoad.base.console import path_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REFRESH_S = 0.5  # seconds between two readings of the loss: on a GPU each makes it wait
SILENCE_S = 60.0  # seconds after which a run without a terminal says where it is, within an epoch too
LOOKED_AT = ("image_auroc", "pixel_auroc", "aupro", "mad")


class Reporter:
    """Tells a person, and other programs, how a run goes on.

    Args:
        directory: of the run.
        done: epochs done by an earlier attempt.
        epochs: of the training.
        progress: the bars; None or a disabled one: lines on stderr in their place.
        speaks: whether this process says anything at all: the first one does.
    """

    def __init__(
        self, directory: Path, done: int, epochs: int, progress: Progress | None, speaks: bool
    ) -> None:
        self.directory, self.epochs, self.speaks = directory, epochs, speaks
        self._progress = None if progress is None or progress.disable or not speaks else progress
        self._task: TaskID | None = None
        self._told = time.monotonic()
        self._figures, self._epoch = "", done
        self._began: tuple[float, int] | None = (
            None  # when this attempt's first step was done, and which it was
        )
        self.status(Status("running", done, epochs, pid=os.getpid()))

    def say(self, *lines: str) -> None:
        """Say lines on stderr, above the bar."""
        for line in lines if self.speaks else ():
            if self._progress is not None:
                self._progress.console.print(path_line(line), markup=False, highlight=False, soft_wrap=True)
            else:
                print(path_line(line), file=sys.stderr, flush=True)
        self._told = time.monotonic()

    def warn(self, message: str) -> None:
        """Say something on stderr that a person should know."""
        self.say(f"warning: {message}")

    def on_images(self, done: int, total: int) -> None:
        """While the pixel cache is filled."""
        self._show("writing the pixel cache, images", done, total)

    def on_step(self, done: int, total: int, loss: Tensor, images_per_s: float, waiting: float) -> None:
        """After each training step: loss, images/s, share of waiting, and GPU memory."""
        self._began = self._began or (time.monotonic(), done)
        quiet_for = REFRESH_S if self._progress is not None else SILENCE_S
        if not self.speaks or (time.monotonic() - self._told < quiet_for and not self._ends(done, total)):
            return
        figures = [f"loss {float(loss):.4g}", f"{images_per_s:.3g} images/s", f"waiting {waiting:.0%}"]
        if loss.is_cuda:
            figures.append(f"{torch.cuda.max_memory_allocated(loss.device) / 2**30:.1f} GiB")
        self._figures = ", ".join(figures) + self._left(done, total)
        epoch = min(self._epoch + 1, self.epochs)
        self._show(f"training, epoch {epoch} of {self.epochs}, steps: {self._figures}", done, total)

    def on_epoch(self, done: int) -> None:
        """After each epoch."""
        self._epoch = done
        self.status(Status("running", done, self.epochs, pid=os.getpid()))
        if self.speaks and self._progress is None and self.epochs > 1:
            self.say(f"epoch {done} of {self.epochs}: {self._figures}")

    def on_scored(self, done: int, total: int) -> None:
        """After each scored batch."""
        self._show("scoring, images", done, total)

    def on_look(self, look: Look) -> None:
        """After a look at the test set."""
        found = look.metrics["ader"]
        values = ((name, found.get(name)) for name in LOOKED_AT)
        shown = ", ".join(f"{name} {'–' if v is None else f'{100 * v:.1f}'}" for name, v in values)
        self.say(f"test set after epoch {look.epoch}: {shown} (ader, percent)")

    def status(self, status: Status) -> None:
        """Write ``status.json``."""
        if self.speaks:
            write_status(self.directory, status)

    @contextlib.contextmanager
    def telling_failures(self) -> Iterator[None]:
        """Have ``status.json`` say why the block failed, and an interrupted person how to go on."""
        try:
            yield
        except Exception as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            with contextlib.suppress(OSError):  # on a full disk: why, the error itself says
                self.status(Status("failed", self._epoch, self.epochs, message=message))
            raise
        except KeyboardInterrupt:
            status = read_status(self.directory)
            if status is not None and checkpoints(self.directory):
                self.say(
                    f"interrupted {progress_of(status)}: the same command goes on from the last checkpoint"
                )
            raise

    def _ends(self, done: int, total: int) -> bool:
        """Say whether a step is the last of an epoch, whose line needs its figures."""
        return done == total or (self.epochs > 0 and done % max(1, total // self.epochs) == 0)

    def _left(self, done: int, total: int) -> str:
        assert self._began is not None
        began, first = self._began
        if done == first or self._progress is not None:  # a bar has a column for it
            return ""
        seconds = (time.monotonic() - began) / (done - first) * (total - done)
        return f", {seconds / 60:.0f} min to go" if seconds >= 60 else ""

    def _show(self, what: str, done: int, total: int) -> None:
        if self._progress is None:
            if self.speaks and time.monotonic() - self._told >= SILENCE_S:
                self.say(f"{what}: {done:,} of {total:,}")
            return
        if self._task is None:
            self._task = self._progress.add_task(what, total=total)
        self._progress.update(self._task, description=what, completed=done, total=total)
        self._told = time.monotonic()
