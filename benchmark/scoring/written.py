"""A scored test set becomes a run on disk: its files first, then the record that binds them, then its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmark.metrics import Evaluation
from benchmark.runs.files import clear_leftovers, file_hashes
from benchmark.runs.outputs import write_curves, write_previews, write_scores
from benchmark.runs.record import (
    CALIBRATION_FILE,
    FORMAT_VERSION,
    PREVIEWS_FILE,
    RESULT_FILE,
    Cost,
    DatasetInfo,
    MethodInfo,
    Record,
    Status,
    write_record,
    write_status,
)
from benchmark.scoring.testset import TestSet


@dataclass(frozen=True)
class About:
    """What a record says of a run beside its scores; seed, preset and epochs are None where nothing was trained."""

    method: MethodInfo
    dataset: DatasetInfo
    cost: Cost
    environment: dict[str, Any]
    config: dict[str, Any]
    seed: int | None = None
    preset: str | None = None
    epochs: int | None = None


def write_scored_run(
    directory: Path, scored: TestSet, evaluation: Evaluation, about: About, held_out: TestSet | None = None
) -> Record:
    """Write all that a scored run leaves into ``directory``, which the caller holds; return its record.

    ``held_out`` are normal images that were not trained on, from whose scores thresholds come.
    """
    clear_leftovers(directory)
    (directory / RESULT_FILE).unlink(missing_ok=True)  # an old record must not stand beside new scores
    write_scores(directory, scored.scores)
    if held_out is None:
        (directory / CALIBRATION_FILE).unlink(missing_ok=True)
    else:
        write_scores(directory, held_out.scores, CALIBRATION_FILE)
    if (previews := scored.previews) is None:
        (directory / PREVIEWS_FILE).unlink(missing_ok=True)
    else:
        write_previews(directory, previews.maps, previews.masks)
    write_curves(directory, scored.evaluator.curves())
    record = Record(
        format="cocoad-run",
        format_version=FORMAT_VERSION,
        method=about.method,
        dataset=about.dataset,
        seed=about.seed,
        preset=about.preset,
        epochs=about.epochs,
        **evaluation.recorded(),
        cost=about.cost,
        environment=about.environment,
        config=about.config,
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        thresholds=scored.thresholds(held_out),
        files=file_hashes(directory),
    )
    signed = write_record(directory, record)
    write_status(directory, Status("finished", about.epochs or 0, about.epochs or 0))
    return signed
