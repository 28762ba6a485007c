"""What an earlier attempt at a run left in its directory: gone on with where that can be, and never lost unasked."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from benchmark.config import RunConfig, to_plain
from benchmark.runs.collect import progress_of
from benchmark.runs.evaluations import EVALUATIONS_FILE
from benchmark.runs.files import checkpoints, clear_leftovers
from benchmark.runs.identity import check_interrupted
from benchmark.runs.record import (
    CONFIG_FILE,
    MAPS_DIR,
    RESULT_FILE,
    TENSORBOARD_DIR,
    TRAIN_LOG_FILE,
    read_status,
)
from benchmark.training.checkpoint import delete_checkpoints
from cocoad.base.files import write_atomic

UNFINISHED_MAPS = f".{MAPS_DIR}.partial"


def prepare(directory: Path, config: RunConfig, force: bool) -> tuple[int, list[str]]:
    """Make room for a run in a directory that the caller holds.

    An earlier attempt's checkpoints stay, to be gone on from, unless ``force``. What else it left must
    not be taken for this one's.

    Returns:
        The epochs that an earlier attempt had done, if it is gone on with, and what to say of it.

    Raises:
        InputError: it has checkpoints, of another configuration; nothing was changed.
    """
    goes_on = not force and bool(checkpoints(directory))
    if goes_on:
        check_interrupted(directory, config)
    status = read_status(directory)
    (directory / RESULT_FILE).unlink(missing_ok=True)
    clear_leftovers(directory)
    shutil.rmtree(directory / TENSORBOARD_DIR, ignore_errors=True)  # told from the first epoch again
    for maps in (MAPS_DIR, UNFINISHED_MAPS):
        shutil.rmtree(directory / maps, ignore_errors=True)
    if not goes_on:
        delete_checkpoints(directory)
        for name in (TRAIN_LOG_FILE, EVALUATIONS_FILE):
            (directory / name).unlink(missing_ok=True)
    write_atomic(directory / CONFIG_FILE, yaml.safe_dump(to_plain(config), sort_keys=False).encode())
    if not goes_on or status is None:
        return 0, []
    how = "failed" if status.state == "failed" else "interrupted"
    return status.epoch, [f"{how} {progress_of(status)}: going on"]
