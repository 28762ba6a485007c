"""The files of a finished run, bound by hashes in its record; and what a killed process left among them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from benchmark.runs.evaluations import EVALUATIONS_FILE
from benchmark.runs.record import (
    CALIBRATION_FILE,
    CONFIG_FILE,
    CURVES_FILE,
    MAPS_DIR,
    PREVIEWS_FILE,
    RESULT_FILE,
    SCORES_FILE,
    TRAIN_LOG_FILE,
    WEIGHTS_FILE,
)
from cocoad.base.errors import InputError
from cocoad.base.files import is_partial, sha256_file

BOUND = (
    CONFIG_FILE, WEIGHTS_FILE, SCORES_FILE, CALIBRATION_FILE, CURVES_FILE, PREVIEWS_FILE, TRAIN_LOG_FILE,
    EVALUATIONS_FILE,
)  # fmt: skip


CHECKPOINTS_DIR = "checkpoints"  # of a training under way: step-N.safetensors


class _Bound(msgspec.Struct):
    files: dict[str, str] = {}


def file_hashes(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that a run left; ``maps`` has that of the names and hashes of all its maps."""
    found = {name: sha256_file(directory / name) for name in BOUND if (directory / name).is_file()}
    if (directory / MAPS_DIR).is_dir():
        found[MAPS_DIR] = _folder_hash(directory / MAPS_DIR)
    return found


def check_file(directory: Path, name: str) -> None:
    """Make sure that a file is the one that the run's record tells of; one that it does not tell of is taken as it is.

    Raises:
        InputError: it was changed after the run.
    """
    try:
        content = (directory / RESULT_FILE).read_bytes()
        wanted = msgspec.json.decode(content, type=_Bound).files.get(name)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # who reads the record itself says what is wrong with it
    if wanted is not None and sha256_file(directory / name) != wanted:
        raise InputError(
            f"{directory / name}: its content does not match its hash in {RESULT_FILE}: it was changed after the run"
        )


def checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoints that a run can go on from, the newest last."""
    return sorted((directory / CHECKPOINTS_DIR).glob("step-*.safetensors"))


def clear_leftovers(directory: Path) -> None:
    """Delete the unfinished files that a killed process left; the caller holds the run's directory."""
    for path in directory.glob(".*"):
        if path.is_file() and (is_partial(path) or path.name.startswith(".tmp")):  # the latter: safetensors'
            path.unlink()


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.npz")):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()
