"""A training's curves: ``train_log.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.runs.record import TRAIN_LOG_FILE
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
