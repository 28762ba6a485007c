"""What a training says while it runs: to a person, to ``train_log.csv``, to TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.runs.record import TRAIN_LOG_FILE
from cocoad.base.errors import InputError
from cocoad.base.files import write_atomic


class EpochRow(NamedTuple):
    """A line of ``train_log.csv``."""

    epoch: int  # epochs done
    step: int  # steps done
    loss: float  # mean over the epoch and the processes
    learning_rate: float
    images_per_s: float
    data_wait_s: float  # of the epoch, spent waiting for images
    seconds: float  # of training so far


def write_log(directory: Path, rows: Sequence[EpochRow]) -> None:
    """Write ``directory/train_log.csv``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(EpochRow._fields)
    for row in rows:
        rate, wait, seconds = (f"{value:.3f}" for value in row[4:])
        writer.writerow(
            (row.epoch, row.step, repr(row.loss), f"{row.learning_rate:.6g}", rate, wait, seconds)
        )
    write_atomic(directory / TRAIN_LOG_FILE, buffer.getvalue().encode())


class TensorBoard:
    """Writes a training's curves for TensorBoard, or nothing.

    Raises:
        InputError: it is wanted and not installed.
    """

    def __init__(self, directory: Path | None) -> None:
        self._writer: Any = None
        if directory is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise InputError(
                    "--tensorboard needs an extra: pip install '.[tensorboard]' in a clone of the repository"
                ) from None
            self._writer = SummaryWriter(str(directory / "tensorboard"))

    def write(self, row: EpochRow) -> None:
        """Add an epoch."""
        if self._writer is not None:
            for name in ("loss", "learning_rate", "images_per_s", "data_wait_s"):
                self._writer.add_scalar(f"train/{name}", getattr(row, name), row.step)
            self._writer.flush()
