"""From maps to a submission: packed, scored as packed, and compared with what the full maps give."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmark.config import read_yaml
from benchmark.datasets.samples import AnomalyDataset
from benchmark.runs.provenance import pretraining
from benchmark.runs.record import MAPS_DIR, RESULT_FILE, SCORES_FILE, ByProtocol, Cost, Record, read_record
from benchmark.scoring.mapfiles import MapError, read_map, resized_map
from benchmark.scoring.matching import MapProblem, match_maps
from benchmark.scoring.score import UnusableMapsError
from benchmark.scoring.scorefile import read_scores_of
from benchmark.submissions.atlas import ImageTable, csv_of, png_of
from benchmark.submissions.codec import SIZES, Codec, FloatArray, GridArray, chosen_codec, fitted, quantised
from benchmark.submissions.format import (
    LIMIT,
    SAME_RUN,
    SUBMISSION_FILE,
    About,
    File,
    PackedSplit,
    Submission,
    prefix_of,
    read_submission,
    write_submission,
)
from benchmark.submissions.rescore import Rescored, furthest, packed_maps, rescored
from benchmark.submissions.truth import Truth
from cocoad import __version__
from cocoad.base.errors import InputError
from cocoad.base.files import clear_partials, sha256_bytes, write_atomic

Advance = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


@dataclass(frozen=True)
class Source:
    """Where a split's maps are: a run of this bench, or a folder of maps with or without a table of scores."""

    maps: Path
    scores: Path | None
    record: Record | None = None
    record_bytes: bytes = b""  # as it lies on disk


@dataclass(frozen=True)
class Packed:
    """A split and its files, by name."""

    split: PackedSplit
    files: dict[str, bytes]
    worst: str  # the metric that differs most: "ader/pixel_ap"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(data) for data in self.files.values())

    @property
    def largest(self) -> int:
        """Bytes of the largest file."""
        return max(len(data) for data in self.files.values())


def source_of(path: Path, scores: Path | None) -> Source:
    """Say what ``path`` holds.

    Raises:
        InputError: no such folder, a run without maps, or scores beside those of a run.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give a run's directory or a folder of maps")
    if not (path / RESULT_FILE).is_file():
        return Source(path, scores)
    if scores is not None:
        raise InputError(f"{path} is a run and has its own {SCORES_FILE}: leave out --scores")
    if not (path / MAPS_DIR).is_dir():
        raise InputError(
            f"{path} kept no maps: run it again with --save-maps, or pack the folder of maps that it scored"
        )
    return Source(path / MAPS_DIR, path / SCORES_FILE, read_record(path), (path / RESULT_FILE).read_bytes())


def pack_split(
    source: Source,
    dataset: AnomalyDataset,
    image_size: int,
    size: int = 64,
    lossy: bool = False,
    advance: Advance = lambda what, done, total: None,
) -> Packed:
    """Pack the maps of a test set; nothing is written.

    Args:
        source: the maps.
        dataset: whose test images they are of.
        image_size: pixels, square, at which maps and masks are compared.
        size: of the grids; 64 for maps that were smoothed, 128 or 256 for others.
        lossy: take any difference.
        advance: hears how far it is.

    Raises:
        UnusableMapsError: a map or score is missing, extra, ambiguous, unreadable or not finite.
        InputError: the run is of other data, its maps are not those of its record, or a metric would differ by more
            than LIMIT points.
    """
    if source.record is not None and source.record.dataset.hash != dataset.hash:
        raise InputError(
            f"{source.maps.parent}: this run is of other data than the dataset (the hashes differ); "
            "give the dataset that it was scored on"
        )
    truth = Truth.of(dataset, image_size)
    files, scores = _found(source, truth)
    size = min(size, image_size)
    with tempfile.TemporaryFile() as stream:  # the largest grids are as large as the maps
        grids = np.memmap(stream, np.float32, "w+", shape=(len(files), size, size))
        extremes = np.zeros((2, len(files)), np.float32)
        problems: list[MapProblem] = []

        def read(places: slice) -> FloatArray:
            maps = _read(files[places], image_size, problems)
            grids[places] = fitted(maps, size)
            extremes[:, places] = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
            advance("packing", places.stop, len(files))
            return maps

        full = rescored(truth, read, scores)
        if problems:
            raise UnusableMapsError(source.maps, problems)
        _check_record(source, full)
        codec = chosen_codec(grids, image_size)
        levels = quantised(grids, codec)
    exact = np.array([row.score for row in full.scored.scores], np.float32)
    table = ImageTable([image.id for image in truth.images], exact, *extremes)
    packed = rescored(truth, packed_maps(levels, codec, table, image_size), table.scores)
    difference, worst = furthest(packed.metrics, full.metrics)
    if difference > LIMIT and not lossy:
        larger = " or ".join(f"--size {other}" for other in SIZES if size < other <= image_size)
        raise InputError(
            f"{source.maps}: packed at {size}×{size} these maps give another {worst}, by {difference:.2f} points "
            f"(at most {LIMIT}); {f'give {larger} for maps that were not smoothed, or ' if larger else ''}"
            "take it as it is with --lossy: what is packed is what is scored"
        )
    return _packed(truth, source, packed, full.metrics, table, levels, codec, difference, worst)


def _check_record(source: Source, full: Rescored) -> None:
    """Refuse maps that a verifier would not take for those of the run's record."""
    if source.record is None:
        return
    distance, where = furthest(source.record.metrics, full.metrics)
    if distance > SAME_RUN:
        raise InputError(
            f"{source.maps.parent}: its kept maps, in half precision, give another {where} than its record, by "
            f"{distance:.2f} points (at most {SAME_RUN}; so it is with few images): pack {source.maps} with "
            f"--scores {source.scores}, as maps of no run"
        )


def _packed(
    truth: Truth,
    source: Source,
    packed: Rescored,
    full: ByProtocol,
    table: ImageTable,
    levels: GridArray,
    codec: Codec,
    difference: float,
    worst: str,
) -> Packed:
    prefix = prefix_of(truth.dataset)
    files = {f"{prefix}.maps.png": png_of(levels), f"{prefix}.images.csv": csv_of(table)}
    record = source.record
    if record is not None:
        files[f"{prefix}.run.json"] = source.record_bytes
    entries = [File(name, len(data), sha256_bytes(data)) for name, data in files.items()]
    split = PackedSplit(
        dataset=truth.dataset if record is None else record.dataset,
        codec=codec,
        maps=entries[0],
        images=entries[1],
        metrics=packed.metrics,
        full_metrics=full,
        difference=round(difference, 6),
        lossy=difference > LIMIT,
        flags=packed.evaluation.flags,
        cost=Cost() if record is None else record.cost,
        run=entries[2] if record is not None else None,
    )
    return Packed(split, files, worst)


def _found(source: Source, truth: Truth) -> tuple[list[Path], FloatArray | None]:
    """Return every image's map, and scores if there are some, in the order of the ground truth."""
    ids = [image.id for image in truth.images]
    maps, problems = match_maps(source.maps, ids)
    scores: FloatArray | None = None
    if source.scores is not None:
        found, more = read_scores_of(source.scores, ids)
        problems += more
        scores = np.array([found.get(ident, 0.0) for ident in ids], np.float32)
    if problems:
        raise UnusableMapsError(source.maps, problems)
    return [maps[ident] for ident in ids], scores


def _read(files: Sequence[Path], size: int, problems: list[MapProblem]) -> FloatArray:
    """Read maps (B, S, S); those that cannot be are zeros and join ``problems``."""
    maps = np.zeros((len(files), size, size), np.float32)
    for place, file in enumerate(files):
        try:
            maps[place] = resized_map(read_map(file), size)
        except MapError as error:
            problems.append(MapProblem(error.kind, str(file), str(error)))
    return maps


def about_of(file: Path | None, method: str | None, out: Path, records: Sequence[Record]) -> About:
    """Return what is known of a method: from a YAML file, else the folder's earlier one, else its runs' records.

    Raises:
        InputError: the file is none of :class:`About`, or the encoder's pretraining is not known.
    """
    known: dict[str, Any] = {}
    if records:
        info = records[0].method
        known = {"method": info.name.replace(":", "-"), "encoder": info.backbone}
        known["pretraining"] = pretraining(info.backbone, info.weights)
    if file is None and (out / SUBMISSION_FILE).is_file():
        known |= msgspec.to_builtins(read_submission(out).about)
    if file is not None:
        given = read_yaml(file)
        if not isinstance(given, dict):
            raise InputError(f"{file}: not an object of fields such as method and pretraining")
        known |= given
    if method is not None:
        known["method"] = method
    if not known.get("pretraining"):
        raise InputError(
            "what the encoder was trained on before is not known: write it to a file, `pretraining: ImageNet-1k` "
            "or `pretraining: none`, and give --about FILE"
        )
    try:
        return msgspec.convert(known, About)
    except msgspec.ValidationError as error:
        raise InputError(f"{file or '--method'}: {error}") from None


def write_packed(out: Path, about: About, packed: Sequence[Packed]) -> Submission:
    """Write a submission, or add splits to the one in ``out`` and replace those that it has; return all of it."""
    kept: dict[str, PackedSplit] = {}
    if (out / SUBMISSION_FILE).is_file():
        kept = {prefix_of(split.dataset): split for split in read_submission(out).splits}
    for one in packed:
        for name, data in one.files.items():
            clear_partials(out / name)
            write_atomic(out / name, data)
        kept[prefix_of(one.split.dataset)] = one.split
    splits = [kept[prefix] for prefix in sorted(kept)]
    submission = Submission("cocoad-submission", 1, about, splits, f"cocoad {__version__}")
    clear_partials(out / SUBMISSION_FILE)
    write_submission(out, submission)
    return submission
