"""Finding runs on disk and saying of each whether it can be trusted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.runs.lock import is_held
from benchmark.runs.record import (
    RESULT_FILE,
    STATUS_FILE,
    ByProtocol,
    Record,
    Status,
    read_record,
    read_status,
)
from cocoad.base.errors import InputError
from cocoad.base.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd

State = Literal["finished", "running", "interrupted", "failed", "invalid"]


@dataclass(frozen=True)
class Run:
    """A finished run whose record is sound."""

    directory: Path
    record: Record

    @property
    def metrics(self) -> ByProtocol:
        """Its metrics as fractions, by protocol (``ader``, ``exact``); None where undefined."""
        return self.record.metrics

    def __repr__(self) -> str:
        record = self.record
        split = "" if record.dataset.split is None else f" split {record.dataset.split}"
        mad = record.metrics.get("ader", {}).get("mad")
        score = "" if mad is None else f", mAD {100 * mad:.1f} % (ader)"
        return f"Run({record.method.name} on {record.dataset.name}{split}{score}, in {self.directory})"

    def _repr_html_(self) -> str:
        protocols = list(self.metrics)
        names = list(dict.fromkeys(name for found in self.metrics.values() for name in found))
        rows = [(name, *(self.metrics[protocol].get(name) for protocol in protocols)) for name in names]
        return html_table(("metric", *protocols), rows, repr(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each metric, a column for each protocol; fractions."""
        import pandas as pd

        return pd.DataFrame(self.metrics).rename_axis("metric")


@dataclass(frozen=True)
class Rejected:
    """A run whose record was refused, and why (one line that names the file)."""

    directory: Path
    reason: str


@dataclass(frozen=True)
class RunState:
    """How far a run is: ``detail`` says at which epoch or why."""

    directory: Path
    state: State
    detail: str
    record: Record | None = None


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Return the run directories among and below ``paths``, sorted, each once; links are not followed.

    Raises:
        InputError: a path does not exist, or there is no run anywhere.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; give run directories or folders that hold some")
        for folder, subfolders, files in os.walk(path):
            if RESULT_FILE in files or STATUS_FILE in files:
                subfolders.clear()
                found.setdefault(Path(folder).resolve(), Path(folder))
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
    if not found:
        where = ", ".join(str(path) for path in paths)
        raise InputError(f"no runs under {where}; `bench run --method invad --out runs` makes one")
    return sorted(found.values())


def load_runs(paths: Sequence[Path]) -> tuple[list[Run], list[Rejected], list[Path]]:
    """Return the sound runs under ``paths``, those whose record is refused, and those not finished."""
    runs: list[Run] = []
    rejected: list[Rejected] = []
    unfinished: list[Path] = []
    for directory in find_runs(paths):
        if not (directory / RESULT_FILE).is_file():
            unfinished.append(directory)
            continue
        try:
            runs.append(Run(directory, read_record(directory)))
        except InputError as error:
            rejected.append(Rejected(directory, str(error)))
    return runs, rejected, unfinished


def run_state(directory: Path) -> RunState:
    """Say how far the run in ``directory`` is; a running one that no process holds was interrupted."""
    status = read_status(directory)
    at = progress_of(status) if status and status.epochs else ""
    if status and status.state == "running":
        if is_held(directory):
            return RunState(directory, "running", f"{at} (process {status.pid})".strip())
        return RunState(directory, "interrupted", at or "before its first epoch")
    if status and status.state == "failed":
        return RunState(directory, "failed", f"because {status.message or 'of an unknown error'}")
    try:
        record = read_record(directory)
    except InputError as error:
        return RunState(directory, "invalid", str(error))
    return RunState(directory, "finished", record.finished_at[:16].replace("T", " "), record)


def progress_of(status: Status) -> str:
    """Return how far a run is, as ``at epoch 5 of 60``."""
    return f"at epoch {status.epoch} of {status.epochs}" if status.epochs else "before its first epoch"
