"""Scoring maps and image scores made by any code: every file is checked, and all are scored or none is."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.runs.environment import environment
from benchmark.runs.lock import held
from benchmark.runs.provenance import EXTERNAL
from benchmark.runs.record import RESULT_FILE, Cost, MethodInfo, Status, write_status
from benchmark.scoring.looks import Looks
from benchmark.scoring.mapfiles import MapError, read_map, resized_map
from benchmark.scoring.matching import MapProblem, match_maps
from benchmark.scoring.scorefile import read_scores_of
from benchmark.scoring.testset import TestSet, masks_of
from benchmark.scoring.written import About, write_scored_run
from cocoad.base.console import progress
from cocoad.base.errors import InputError

BATCH = 32  # maps in memory at a time
Maps = npt.NDArray[np.float32]


class UnusableMapsError(InputError):
    """Some maps or scores cannot be used; ``problems`` lists all of them."""

    def __init__(self, folder: Path, problems: Sequence[MapProblem]) -> None:
        kinds = [problem.kind for problem in problems]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        super().__init__(
            f"{folder}: nothing was scored ({counted}); mend what is listed above and score again"
        )
        self.problems = list(problems)


def score_maps(
    folder: Path | None,
    dataset: AnomalyDataset,
    name: str,
    out: Path,
    image_size: int = 256,
    overwrite: bool = False,
    *,
    scores: Path | None = None,
    others: Sequence[str] = (),
) -> Path:
    """Score maps, image scores or both on a dataset's test images and write a run directory like any other.

    Args:
        folder: one map per test image, see :mod:`benchmark.scoring.matching`; None: image metrics only.
        dataset: whose test images were mapped.
        name: of the method, for the leaderboard.
        out: where the run directory is made.
        image_size: pixels, square; maps and masks are resized to it.
        overwrite: replace a finished run of that name.
        scores: a CSV of image scores (:mod:`benchmark.scoring.scorefile`); None: the maxima of the resized maps.
        others: ids of images that may have maps and scores too, such as those of classes left out.

    Returns:
        The run directory, ``out/NAME_DATASET[_split-K]``, with ``others`` also ``_CLASS`` of each class.

    Raises:
        UnusableMapsError: a map or score is missing, extra, ambiguous, unreadable, of a wrong size or not finite.
        InputError: no such folder or file, no test images, or the run exists.
    """
    started = time.monotonic()
    directory = out / _directory_name(name, dataset, dataset.classes if others else ())
    if (directory / RESULT_FILE).exists() and not overwrite:
        raise InputError(
            f"{directory} holds a finished run; choose another --name or --out, or --overwrite it"
        )
    if folder is None and scores is None:
        raise InputError("nothing to score: give --maps FOLDER, --scores FILE or both")
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder of maps")
    if not dataset.test:
        raise InputError(f"the dataset {dataset.name} has no test images")
    scored = _evaluate(folder, scores, dataset.test, image_size, others)
    config = {
        "maps": None if folder is None else str(folder),
        "scores": None if scores is None else str(scores),
        "dataset": dataset.name,
        "image_size": image_size,
        "resize": "bilinear",
    }
    with held(directory):
        write_status(directory, Status("running", pid=os.getpid()))
        evaluation = scored.evaluate(lambda text: print(f"warning: {text}", file=sys.stderr))
        seconds = time.monotonic() - started
        about = About(
            method=MethodInfo(name=name, backbone=None, weights=EXTERNAL),
            dataset=dataset.info(image_size),
            cost=Cost(test_seconds=seconds, test_images_per_s=len(dataset.test) / seconds),
            environment=environment(),
            config=config,
        )
        write_scored_run(directory, scored, evaluation, about)
    return directory


def _evaluate(
    folder: Path | None, table: Path | None, samples: Sequence[Sample], size: int, others: Sequence[str]
) -> TestSet:
    """Score all samples or, if anything is wrong with any of their maps or scores, none."""
    ids = [sample.id for sample in samples]
    problems: list[MapProblem] = []
    given: dict[str, float] = {}
    if table is not None:
        given, problems = read_scores_of(table, ids, others)
    if folder is None:
        _refuse(table, problems)
        return _scored_without_maps(samples, given, size)
    matched, of_maps = match_maps(folder, ids, others)
    problems += of_maps
    scored, looks = TestSet(), Looks()
    for batch, maps in _checked_batches(samples, matched, problems, size, looks):
        if problems:
            continue  # nothing is scored by halves, but every map is looked at
        masks = masks_of(batch, size)
        looks.compare(maps, masks)
        maxima = maps.max(axis=(1, 2)).tolist()
        scored.add(batch, maps, masks, maxima if table is None else [given[sample.id] for sample in batch])
    _refuse(folder, problems)
    for note in looks.notes():
        print(f"note: {note}", file=sys.stderr)
    return scored


def _scored_without_maps(samples: Sequence[Sample], given: dict[str, float], size: int) -> TestSet:
    scored = TestSet()
    for sample in samples:
        masked = bool(masks_of([sample], size).any()) if sample.has_truth else bool(sample.label)
        scored.add_without_map(sample, given[sample.id], masked)
    return scored


def _refuse(what: Path | None, problems: Sequence[MapProblem]) -> None:
    if problems and what is not None:
        raise UnusableMapsError(what, sorted(problems, key=lambda problem: (problem.kind, problem.what)))


def _directory_name(name: str, dataset: AnomalyDataset, some: Sequence[str]) -> str:
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise InputError(f"--name {name!r}: use letters, digits and . _ + - only, since it names a folder")
    split = "" if dataset.split is None else f"_split-{dataset.split}"
    return "_".join((f"{name}_{dataset.name}{split}", *some))


def _checked_batches(
    samples: Sequence[Sample],
    matched: dict[str, Path],
    problems: list[MapProblem],
    size: int,
    looks: Looks,
) -> Iterator[tuple[list[Sample], Maps]]:
    """Yield samples with their maps (B, size, size), reading every file; bad ones join ``problems``."""
    with progress() as bar:
        task = bar.add_task("scoring maps", total=len(samples))
        for start in range(0, len(samples), BATCH):
            batch: list[tuple[Sample, Maps]] = []
            for sample in samples[start : start + BATCH]:
                if sample.id in matched:
                    try:
                        values = read_map(matched[sample.id])
                        looks.see(sample, values)
                        batch.append((sample, resized_map(values, size)))
                    except MapError as error:
                        problems.append(MapProblem(error.kind, str(matched[sample.id]), str(error)))
                bar.advance(task)
            if batch:
                yield [sample for sample, _ in batch], np.stack([array for _, array in batch])
