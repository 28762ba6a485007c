"""Whether a submission is what it says: its files, its images, and every metric computed again from the maps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.datasets import load_dataset
from benchmark.runs.provenance import trust
from benchmark.runs.record import ByProtocol, Record, record_from
from benchmark.submissions.atlas import ImageTable, grids_of, table_as_written, table_of
from benchmark.submissions.findings import Finding
from benchmark.submissions.format import (
    LIMIT,
    MOST_BYTES,
    SAME_RUN,
    SUBMISSION_FILE,
    File,
    PackedSplit,
    Submission,
    read_submission,
)
from benchmark.submissions.rescore import Rescored, furthest, packed_maps, rescored
from benchmark.submissions.suspicions import Prints, prints_of, suspicions
from benchmark.submissions.truth import Truth, read_truths
from cocoad.base.console import one_line
from cocoad.base.errors import InputError
from cocoad.base.files import is_file, sha256_bytes

SAME = 1e-4  # points: two values of a metric
LARGEST, MOST_TABLE = 1 << 30, 1 << 28  # bytes that are read at all; a leaderboard may take less
COUNTS = ("train_normal", "test_normal", "test_anomalous")

Others = Mapping[str, Mapping[str, Prints]]  # submission -> test set's hash -> prints


@dataclass(frozen=True)
class VerifiedSplit:
    """A split whose files could be scored."""

    split: PackedSplit
    truth: Truth
    table: ImageTable
    rescored: Rescored
    prints: Prints
    record: Record | None


@dataclass(frozen=True)
class Verified:
    """What verification found: ``splits`` are those that could be scored, sound only without ``findings``."""

    folder: Path
    submission: Submission | None
    splits: list[VerifiedSplit] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def trust(self) -> str:
        """How far its numbers can be relied on: a level of :data:`benchmark.runs.provenance.TRUST`.

        Native where every split has the record of a run of this bench, reproduced where the leaderboard's keeper says
        so, else rescored.
        """
        if self.submission is not None and self.submission.about.reproduced is not None:
            return "reproduced"
        native = bool(self.splits) and all(
            one.record and trust(one.record) == "native" for one in self.splits
        )
        return "native" if native else "rescored"

    @property
    def prints(self) -> dict[str, Prints]:
        """The prints of its maps, by test set."""
        return {one.truth.dataset.hash: one.prints for one in self.splits}


def verify(
    folder: Path,
    truths: Sequence[Truth],
    others: Others | None = None,
    most_bytes: int = LARGEST,
    new: bool = False,
) -> Verified:
    """Verify a submission.

    Args:
        folder: of the submission.
        truths: ground truth, of its test sets among others.
        others: what other submissions' maps are, to find copies.
        most_bytes: that a file may have.
        new: it is somebody's own, and nothing that the leaderboard's keeper says may be in it.

    Raises:
        InputError: there is no submission in the folder at all.
    """
    if not (folder / SUBMISSION_FILE).is_file():
        raise InputError(f"{folder} holds no {SUBMISSION_FILE}; `bench pack` makes a submission")
    try:
        submission = read_submission(folder)
    except InputError as error:
        return Verified(folder, None, findings=[Finding("schema", SUBMISSION_FILE, _short(error))])
    verified = Verified(folder, submission, findings=list(_folder_findings(folder, submission)))
    if new and submission.about.reproduced is not None:
        detail = "it says that it was reproduced, which is for the leaderboard's keeper to say"
        verified.findings.append(Finding("keeper", SUBMISSION_FILE, detail))
    for split in submission.splits:
        try:
            one = _verified_split(folder, split, truths, most_bytes)
        except _WrongError as wrong:
            verified.findings.append(wrong.finding)
            continue
        verified.splits.append(one)
        verified.findings.extend(_claims(one))
        there = {name: prints.get(one.truth.dataset.hash, {}) for name, prints in (others or {}).items()}
        verified.findings.extend(suspicions(split.title, one.table, one.prints, one.rescored.previews, there))
    return verified


class _WrongError(Exception):
    """A split cannot be scored."""

    def __init__(self, code: str, where: str, detail: str) -> None:
        super().__init__(detail)
        self.finding = Finding(code, where, detail)


def _folder_findings(folder: Path, submission: Submission) -> Iterator[Finding]:
    named = {SUBMISSION_FILE}
    for split in submission.splits:
        named |= {file.name for file in (split.maps, split.images, split.run) if file is not None}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            yield Finding("folder", path.name, "a link or no regular file")
        elif path.name not in named:
            yield Finding("folder", path.name, f"not named in {SUBMISSION_FILE}")
    hashes = [split.dataset.hash for split in submission.splits]
    if len(set(hashes)) < len(hashes):
        yield Finding("schema", SUBMISSION_FILE, "two of its splits are the same test set")


def _verified_split(
    folder: Path, split: PackedSplit, truths: Sequence[Truth], most_bytes: int
) -> VerifiedSplit:
    truth = _truth_of(split, truths)
    atlas, table, record = (
        b"" if file is None else _content(folder, file, min(most, most_bytes))
        for file, most in ((split.maps, LARGEST), (split.images, MOST_TABLE), (split.run, MOST_BYTES))
    )
    try:
        images = table_of(table, [image.id for image in truth.images])
    except ValueError as error:
        raise _WrongError("images", split.images.name, _short(error)) from None
    try:
        levels = grids_of(atlas, len(images.ids), split.codec)
    except ValueError as error:
        raise _WrongError("maps", split.maps.name, _short(error)) from None
    scored = rescored(truth, packed_maps(levels, split.codec, images, truth.size), images.scores)
    return VerifiedSplit(
        split, truth, images, scored, prints_of(images, levels), _record_of(split, folder, record)
    )


def _truth_of(split: PackedSplit, truths: Sequence[Truth]) -> Truth:
    """Return the ground truth of a split: the same name, split, hash, counts and size."""
    claimed = split.dataset
    for truth in truths:
        if truth.dataset.hash == claimed.hash:
            known = truth.dataset
            same = (known.name, known.split) == (claimed.name, claimed.split)
            if not same or any(getattr(known, name) != getattr(claimed, name) for name in COUNTS):
                raise _WrongError(
                    "dataset", split.title, "its hash is known, but of another split or numbers of images"
                )
            if truth.size != split.size:
                raise _WrongError(
                    "dataset",
                    split.title,
                    f"scored at {split.size} pixels, the ground truth is at {truth.size}",
                )
            return truth
    known_ones = ", ".join(f"{truth.title} ({truth.dataset.hash[:8]})" for truth in truths)
    raise _WrongError("dataset", split.title, f"its hash is {claimed.hash[:8]}, known are {known_ones}")


def _content(folder: Path, file: File, most: int) -> bytes:
    path = folder / file.name
    if not is_file(path) or path.is_symlink():
        raise _WrongError("file", file.name, "missing")
    if max(path.stat().st_size, file.bytes) > most:
        raise _WrongError("too-large", file.name, f"{path.stat().st_size:,} bytes, at most {most:,}")
    data = path.read_bytes()
    if len(data) != file.bytes or sha256_bytes(data) != file.sha256:
        raise _WrongError(
            "file", file.name, "its size or hash is not the stated one: it was changed after packing"
        )
    return data


def _record_of(split: PackedSplit, folder: Path, data: bytes) -> Record | None:
    if split.run is None:
        return None
    try:
        record = record_from(data, folder / split.run.name)
    except InputError as error:
        raise _WrongError("record", split.run.name, _short(error)) from None
    if record.dataset.hash != split.dataset.hash:
        raise _WrongError("record", split.run.name, "it is of another dataset")
    distance, where = furthest(record.metrics, split.full_metrics)
    if distance > SAME_RUN:
        raise _WrongError(
            "record", split.run.name, f"its {where} is {distance:.2f} points from that of the full maps"
        )
    return record


def _claims(one: VerifiedSplit) -> Iterator[Finding]:
    split = one.split
    distance, where = furthest(split.metrics, one.rescored.metrics)
    if distance > SAME:
        claimed, found = (_percent(metrics, where) for metrics in (split.metrics, one.rescored.metrics))
        detail = f"{where} is claimed to be {claimed}, the files give {found}"
        yield Finding("claims", split.title, detail)
    stated, where = furthest(split.metrics, split.full_metrics)
    if not abs(stated - split.difference) <= SAME:
        yield Finding(
            "difference",
            split.title,
            f"{split.difference} points are stated, {where} differs by {stated:.4f}",
        )
    elif split.difference > LIMIT and not split.lossy:
        yield Finding(
            "difference", split.title, f"{where} differs by {split.difference:.2f} points, without lossy"
        )


def _percent(metrics: ByProtocol, where: str) -> str:
    protocol, _, name = where.partition("/")
    value = metrics.get(protocol, {}).get(name)
    return "–" if value is None else f"{100 * value:.5f} %"


def _short(error: Exception) -> str:
    return one_line(str(error))[:300]


def truths_for(
    folders: Sequence[Path], truth: Path | None, dataset: Path | None, coco_root: Path | None
) -> list[Truth]:
    """Return the ground truth that submissions need: of files, or of a dataset's splits that they have.

    Raises:
        InputError: neither is given, or it cannot be read.
    """
    if truth is not None:
        return read_truths(truth)
    if dataset is None:
        raise InputError("give --dataset DIR, or --truth from `bench truth`")
    wanted: dict[tuple[int | None, int, tuple[str, ...]], None] = {}
    for folder in folders:
        with contextlib.suppress(InputError):  # verification says what is wrong with it
            for split in read_submission(folder).splits:
                wanted[split.dataset.split, split.size, tuple(split.dataset.classes)] = None
    found = []
    for number, size, classes in wanted:
        data = load_dataset(dataset, split=number, coco_root=coco_root)
        if set(classes) < set(data.classes):
            data = load_dataset(dataset, split=number, classes=classes, coco_root=coco_root)
        found.append(Truth.of(data, size))
    return found


def prints_beside(beside: Path, without: Sequence[Path]) -> dict[str, dict[str, Prints]]:
    """Return the prints of the submissions in ``beside``, by their folders' names; damaged ones are passed over."""
    left_out = {folder.resolve() for folder in without}
    found: dict[str, dict[str, Prints]] = {}
    for folder in sorted(beside.iterdir()):
        if folder.resolve() in left_out or not (folder / SUBMISSION_FILE).is_file():
            continue
        with contextlib.suppress(InputError, _WrongError, ValueError):
            for split in read_submission(folder).splits:
                table = table_as_written(_content(folder, split.images, MOST_TABLE))
                levels = grids_of(_content(folder, split.maps, LARGEST), len(table.ids), split.codec)
                found.setdefault(folder.name, {})[split.dataset.hash] = prints_of(table, levels)
    return found
