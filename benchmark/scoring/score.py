"""Scoring maps and image scores made by any code: every file is checked, and all are scored or none is."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import PIL

from benchmark.datasets.masks import load_mask
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.metrics import Evaluator, undefined_said
from benchmark.runs.lock import held
from benchmark.runs.outputs import ImageScore, shrink, write_curves, write_previews, write_scores
from benchmark.runs.record import (
    FORMAT_VERSION,
    PREVIEWS_FILE,
    RESULT_FILE,
    Cost,
    MethodInfo,
    Record,
    Status,
    write_record,
    write_status,
)
from benchmark.scoring.looks import Looks
from benchmark.scoring.mapfiles import MapError, read_map, resized_map
from benchmark.scoring.matching import MapProblem, match_maps
from benchmark.scoring.scorefile import read_scores_of
from cocoad import __version__
from cocoad.base.console import progress
from cocoad.base.errors import InputError

BATCH = 32  # maps in memory at a time
EXTERNAL = "external"  # the weights of a method that is not ours
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
    evaluated = _evaluate(folder, scores, dataset.test, image_size, others)
    config = {
        "maps": None if folder is None else str(folder),
        "scores": None if scores is None else str(scores),
        "dataset": dataset.name,
        "image_size": image_size,
        "resize": "bilinear",
    }
    with held(directory):
        write_status(directory, Status("running", pid=os.getpid()))
        (directory / RESULT_FILE).unlink(missing_ok=True)  # an old record must not stand beside new scores
        write_scores(directory, evaluated.scores)
        if evaluated.small is None:
            (directory / PREVIEWS_FILE).unlink(missing_ok=True)
        else:
            write_previews(directory, *evaluated.small)
        write_curves(directory, evaluated.evaluator.curves())
        seconds = time.monotonic() - started
        write_record(directory, _record(evaluated.evaluator, dataset, name, config, seconds))
        write_status(directory, Status("finished"))
    return directory


class _Evaluated(NamedTuple):
    evaluator: Evaluator
    scores: list[ImageScore]
    small: tuple[Maps, Maps] | None  # previews of maps and masks; None: no maps


def _evaluate(
    folder: Path | None, table: Path | None, samples: Sequence[Sample], size: int, others: Sequence[str]
) -> _Evaluated:
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
    evaluator, looks = Evaluator(), Looks()
    scores: list[ImageScore] = []
    small: list[tuple[Maps, Maps]] = []
    for batch, maps in _checked_batches(samples, matched, problems, size, looks):
        if problems:
            continue  # nothing is scored by halves, but every map is looked at
        masks = np.stack([_mask(sample, size) for sample in batch])
        looks.compare(maps, masks)
        image_scores = maps.max(axis=(1, 2)).tolist()
        if table is not None:
            image_scores = [given[sample.id] for sample in batch]
        evaluator.update(
            maps,
            masks,
            labels=np.array([sample.label for sample in batch]),
            image_scores=image_scores,
            classes=[sample.class_name for sample in batch],
            groups=[sample.groups for sample in batch],
            has_truth=[sample.has_truth for sample in batch],
        )
        small.append((shrink(maps), shrink(masks)))
        scores += [_image_score(sample, score) for sample, score in zip(batch, image_scores, strict=True)]
    _refuse(folder, problems)
    for note in looks.notes():
        print(f"note: {note}", file=sys.stderr)
    all_maps, all_masks = (np.concatenate(parts) for parts in zip(*small, strict=True))
    return _Evaluated(evaluator, scores, (all_maps, all_masks))


def _scored_without_maps(samples: Sequence[Sample], given: dict[str, float], size: int) -> _Evaluated:
    evaluator = Evaluator()
    for sample in samples:
        masked = bool(_mask(sample, size).any()) if sample.has_truth else bool(sample.label)
        evaluator.add_without_map(
            given[sample.id], bool(sample.label), masked, sample.class_name, sample.groups
        )
    return _Evaluated(evaluator, [_image_score(sample, given[sample.id]) for sample in samples], None)


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


def _mask(sample: Sample, size: int) -> npt.NDArray[np.bool_]:
    return load_mask(sample, size)


def _image_score(sample: Sample, score: float) -> ImageScore:
    return ImageScore(sample.id, str(sample.image), sample.class_name, sample.label, score, sample.groups)


def _record(
    evaluator: Evaluator, dataset: AnomalyDataset, name: str, config: dict[str, Any], seconds: float
) -> Record:
    with undefined_said(lambda text: print(f"warning: {text}", file=sys.stderr)):
        evaluation = evaluator.compute()
    return Record(
        format="cocoad-run",
        format_version=FORMAT_VERSION,
        method=MethodInfo(name=name, backbone=None, weights=EXTERNAL),
        dataset=dataset.info(config["image_size"]),
        seed=None,
        preset=None,
        epochs=None,
        **evaluation.recorded(),
        cost=Cost(test_seconds=seconds, test_images_per_s=len(dataset.test) / seconds),
        environment=_environment(),
        config=config,
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _environment() -> dict[str, Any]:
    packages = {"numpy": np.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}
    python, machine = platform.python_version(), platform.platform()
    return {"cocoad": __version__, "python": python, "packages": packages, "platform": machine}
