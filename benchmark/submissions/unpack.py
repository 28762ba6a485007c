"""A verified submission as run directories like any other: for tables, comparison and the report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from benchmark.runs.files import file_hashes
from benchmark.runs.outputs import write_curves, write_previews, write_scores
from benchmark.runs.provenance import EXTERNAL, SUBMISSION
from benchmark.runs.record import FORMAT_VERSION, MethodInfo, Record, Status, write_record, write_status
from benchmark.submissions.format import About, prefix_of
from benchmark.submissions.verify import Verified, VerifiedSplit


def unpack(verified: Verified, out: Path) -> list[Path]:
    """Write ``out/NAME_SPLIT`` for each split of a submission; its metrics are those that were computed again."""
    assert verified.submission is not None
    return [_write(one, verified, verified.submission.about, out) for one in verified.splits]


def _write(one: VerifiedSplit, verified: Verified, about: About, out: Path) -> Path:
    name = re.sub(r"[^\w.+-]+", "-", verified.name)
    directory = out / f"{name}_{prefix_of(one.split.dataset)}"
    directory.mkdir(parents=True)
    scored, previews = one.rescored.scored, one.rescored.previews
    write_scores(directory, scored.scores)
    write_previews(directory, previews.maps, previews.masks)
    write_curves(directory, scored.evaluator.curves())
    record = _record(one, verified, about)
    write_record(directory, msgspec.structs.replace(record, files=file_hashes(directory)))
    write_status(directory, Status("finished"))
    return directory


def _record(one: VerifiedSplit, verified: Verified, about: About) -> Record:
    said = {
        "name": verified.name,
        "trust": verified.trust,
        "pretraining": about.pretraining,
        "extra_data": about.extra_data,
        "several_test_images": about.several_test_images,
    }
    found: dict[str, Any] = one.rescored.evaluation.recorded()
    if one.record is not None:  # how it was trained and what it cost is the run's own record
        method = msgspec.structs.replace(one.record.method, name=about.method)
        config = {**one.record.config, SUBMISSION: said}
        return msgspec.structs.replace(one.record, method=method, config=config, **found)
    return Record(
        format="cocoad-run",
        format_version=FORMAT_VERSION,
        method=MethodInfo(name=about.method, backbone=about.encoder, weights=EXTERNAL),
        dataset=one.split.dataset,
        seed=None,
        preset=None,
        epochs=None,
        **found,
        cost=one.split.cost,
        environment={},
        config={SUBMISSION: said},
        finished_at="",
    )
