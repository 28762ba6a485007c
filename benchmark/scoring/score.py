"""Scoring anomaly maps made by any code: every file is checked, and all are scored or none is."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL

from benchmark.datasets.images import load_mask
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.metrics import Evaluator, undefined_said
from benchmark.runs.lock import held
from benchmark.runs.outputs import ImageScore, shrink, write_curves, write_previews, write_scores
from benchmark.runs.record import (
    FORMAT_VERSION,
    RESULT_FILE,
    Cost,
    MethodInfo,
    Record,
    Status,
    write_record,
    write_status,
)
from benchmark.scoring.mapfiles import MapError, MapProblem, match_maps, read_map
from cocoad import __version__
from cocoad.base.console import progress
from cocoad.base.errors import InputError

BATCH = 32  # maps in memory at a time
EXTERNAL = "external"  # the weights of a method that is not ours
Maps = npt.NDArray[np.float32]


class UnusableMapsError(InputError):
    """Some maps cannot be used; ``problems`` lists all of them."""

    def __init__(self, folder: Path, problems: Sequence[MapProblem]) -> None:
        kinds = [problem.kind for problem in problems]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        super().__init__(
            f"{folder}: nothing was scored ({counted}); mend the maps listed above and score again"
        )
        self.problems = list(problems)


def score_maps(
    folder: Path,
    dataset: AnomalyDataset,
    name: str,
    out: Path,
    image_size: int = 256,
    overwrite: bool = False,
) -> Path:
    """Score the maps in ``folder`` on a dataset's test images and write a run directory like any other.

    Args:
        folder: one map per test image, see :mod:`benchmark.scoring.mapfiles`.
        dataset: whose test images were mapped.
        name: of the method, for the leaderboard.
        out: where the run directory is made.
        image_size: pixels, square; maps and masks are resized to it.
        overwrite: replace a finished run of that name.

    Returns:
        The run directory, ``out/NAME_DATASET[_split-K]``.

    Raises:
        UnusableMapsError: a map is missing, extra, ambiguous, unreadable, of a wrong size or not finite.
        InputError: no such folder, no test images, or the run exists.
    """
    started = time.monotonic()
    directory = out / _directory_name(name, dataset)
    if (directory / RESULT_FILE).exists() and not overwrite:
        raise InputError(
            f"{directory} holds a finished run; choose another --name or --out, or --overwrite it"
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of maps")
    if not dataset.test:
        raise InputError(f"the dataset {dataset.name} has no test images")
    matched, problems = match_maps(folder, [sample.id for sample in dataset.test])
    evaluator = Evaluator()
    scores: list[ImageScore] = []
    small: list[tuple[Maps, Maps]] = []
    for samples, maps in _checked_batches(dataset.test, matched, problems, image_size):
        if problems:
            continue  # nothing is scored by halves, but every map is looked at
        masks = np.stack([_mask(sample, image_size) for sample in samples])
        maxima = maps.max(axis=(1, 2))
        evaluator.update(
            maps,
            masks,
            labels=np.array([sample.label for sample in samples]),
            image_scores=maxima,
            classes=[sample.class_name for sample in samples],
            groups=[sample.groups for sample in samples],
        )
        small.append((shrink(maps), shrink(masks)))
        scores += [_image_score(sample, float(score)) for sample, score in zip(samples, maxima, strict=True)]
    if problems:
        raise UnusableMapsError(folder, sorted(problems, key=lambda problem: (problem.kind, problem.what)))
    with held(directory):
        write_status(directory, Status("running", pid=os.getpid()))
        (directory / RESULT_FILE).unlink(missing_ok=True)  # an old record must not stand beside new scores
        write_scores(directory, scores)
        write_previews(directory, *(np.concatenate(parts) for parts in zip(*small, strict=True)))
        write_curves(directory, evaluator.curves())
        config = {
            "maps": str(folder),
            "dataset": dataset.name,
            "image_size": image_size,
            "resize": "bilinear",
        }
        write_record(directory, _record(evaluator, dataset, name, config, time.monotonic() - started))
        write_status(directory, Status("finished"))
    return directory


def _directory_name(name: str, dataset: AnomalyDataset) -> str:
    if not re.fullmatch(r"[\w][\w.+-]*", name):
        raise InputError(f"--name {name!r}: use letters, digits and . _ + - only, since it names a folder")
    split = "" if dataset.split is None else f"_split-{dataset.split}"
    return f"{name}_{dataset.name}{split}"


def _checked_batches(
    samples: Sequence[Sample], matched: dict[str, Path], problems: list[MapProblem], size: int
) -> Iterator[tuple[list[Sample], Maps]]:
    """Yield samples with their maps (B, size, size), reading every file; bad ones join ``problems``."""
    with progress() as bar:
        task = bar.add_task("scoring maps", total=len(samples))
        for start in range(0, len(samples), BATCH):
            batch: list[tuple[Sample, Maps]] = []
            for sample in samples[start : start + BATCH]:
                if sample.id in matched:
                    try:
                        batch.append((sample, read_map(matched[sample.id], size)))
                    except MapError as error:
                        problems.append(MapProblem(error.kind, str(matched[sample.id]), str(error)))
                bar.advance(task)
            if batch:
                yield [sample for sample, _ in batch], np.stack([array for _, array in batch])


def _mask(sample: Sample, size: int) -> npt.NDArray[np.bool_]:
    return load_mask(sample.mask, size, sample.mask_threshold)


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
