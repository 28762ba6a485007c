"""COCO root → built dataset: all splits and their masks in one pass over the two annotation files."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cocoad import __version__
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes
from cocoad.base.staging import staged_directory
from cocoad.build.draw import DrawnMasks, by_image, drawing
from cocoad.build.report import BuildReport, compare, official_warnings
from cocoad.build.target import check_target
from cocoad.coco.annotations import Annotations, Ids, parse_annotations, read_annotations, read_bytes
from cocoad.coco.partition import SPLITS, Counts, partition
from cocoad.dataset.manifest import (
    DATASET_FILE,
    FORMAT_VERSION,
    HINT_FILE,
    BuildOptions,
    DatasetManifest,
    InputFile,
    SplitManifest,
    SplitSummary,
    TestSample,
    TrainSample,
    encode,
    mask_path,
    split_file,
)
from cocoad.dataset.membership import Membership, membership

Advance: TypeAlias = Callable[[str, int, int], None]  # what is being done, how much of it, of how much

TRAIN, VAL = "train2017", "val2017"
GET_COCO = "get train2017, val2017 and annotations_trainval2017 from https://cocodataset.org/#download"


@dataclass(frozen=True)
class _Source:
    """The two annotation files and the folder of images that belongs to each."""

    root: Path
    train: Path
    val: Path


@dataclass(frozen=True, eq=False)
class _Part:
    """train2017 or val2017, and who of it belongs to which split."""

    folder: str
    annotations: Annotations
    members: dict[int, Membership]


def build_dataset(
    coco_root: str | Path,
    out: str | Path,
    *,
    splits: Sequence[int] = SPLITS,
    options: BuildOptions | None = None,
    train_annotations: Path | None = None,
    val_annotations: Path | None = None,
    jobs: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    advance: Advance = lambda what, done, total: None,
) -> BuildReport:
    """Build COCO-AD from a COCO 2017 root.

    Args:
        coco_root: holds ``annotations/``, ``train2017/`` and ``val2017/``.
        out: the directory to make; it appears whole or not at all.
        splits: which of 0 … 3, each once.
        train_annotations, val_annotations: other files than ``annotations/instances_*2017.json``.
        jobs: processes that draw masks (default: one per processor, at most 4), about 100 MB each; the result
            does not depend on it.
        overwrite: replace a built dataset at ``out`` that holds no other splits and nothing else.
        dry_run: only count.
        advance: is told of progress.

    Raises:
        InputError: a file is missing or not what it must be, ``out`` is taken, or there is no such split.
    """
    started = time.monotonic()
    coco_root, out = Path(coco_root), Path(out)
    _check_splits(splits)
    options = options or BuildOptions()
    source = _find_source(coco_root, train_annotations, val_annotations)
    masks = 0
    jobs = jobs or _processors()
    if dry_run:
        train, val = (
            _part(folder, read_annotations(path, segmentations=False), splits, options)
            for folder, path in ((TRAIN, source.train), (VAL, source.val))
        )
        notes = _notes(train, val)
    else:
        target = out.resolve()
        check_target(target, (source.root, source.train, source.val), splits, overwrite)
        with staged_directory(target) as staging:
            train, val, masks, notes = _build_into(staging, source, splits, options, jobs, advance)
    report = compare({split: _counts(train, val, split) for split in splits})
    images = len(train.annotations.image_ids), len(val.annotations.image_ids)
    return BuildReport(
        out=None if dry_run else str(out),
        seconds=round(time.monotonic() - started, 2),
        options=options,
        masks=masks,
        splits=report,
        notes=notes,
        warnings=official_warnings(report, options, images),
    )


def _processors() -> int:
    return min(4, len(os.sched_getaffinity(0)))  # with 4, reading train2017 is what takes longest


def _find_source(coco_root: Path, train: Path | None, val: Path | None) -> _Source:
    if not coco_root.is_dir():
        raise InputError(f"the COCO root {coco_root} is not a directory: {GET_COCO}")
    root = coco_root.resolve()
    train = train or root / "annotations" / "instances_train2017.json"
    val = val or root / "annotations" / "instances_val2017.json"
    for path in (train, val):
        if not path.exists():
            raise InputError(f"{path} is missing: {GET_COCO}")
    return _Source(root, train, val)


def _check_splits(splits: Sequence[int]) -> None:
    for split in splits:
        if split not in SPLITS:
            raise InputError(f"there is no split {split}: COCO-AD has {', '.join(map(str, SPLITS))}")


def _part(folder: str, annotations: Annotations, splits: Sequence[int], options: BuildOptions) -> _Part:
    return _Part(folder, annotations, {split: membership(annotations, split, options) for split in splits})


def _build_into(
    staging: Path,
    source: _Source,
    splits: Sequence[int],
    options: BuildOptions,
    jobs: int,
    advance: Advance,
) -> tuple[_Part, _Part, int, list[str]]:
    """Write everything into ``staging``; return the two parts, the number of masks, and the notes."""
    advance("reading annotations", 0, 1)
    val_bytes = read_bytes(source.val)
    val = _part(VAL, parse_annotations(val_bytes, source.val, segmentations=True), splits, options)
    with (
        drawing(val.annotations, val.members, options.rasterizer, staging, jobs) as masks,
        _hasher() as hasher,
    ):
        train_bytes = read_bytes(source.train)
        train_hash = hasher.submit(sha256_bytes, train_bytes)
        train = _part(
            TRAIN, parse_annotations(train_bytes, source.train, segmentations=False), splits, options
        )
        missing = _missing_images(source.root, (train, val), options)
        drawn, oddities = masks.finish(lambda done, total: advance("drawing masks", done, total))
        inputs: dict[Literal["train", "val"], InputFile] = {
            "train": InputFile(source.train.name, len(train_bytes), train_hash.result()),
            "val": InputFile(source.val.name, len(val_bytes), sha256_bytes(val_bytes)),
        }
    advance("writing splits", 0, 1)
    summaries = {split: _write_split(staging, split, train, val, drawn) for split in splits}
    notes = _notes(train, val) + _mask_notes(val, oddities, drawn) + missing
    manifest = DatasetManifest(
        format="cocoad-dataset",
        format_version=FORMAT_VERSION,
        tool_version=__version__,
        options=options,
        inputs=inputs,
        splits={str(split): summary for split, summary in summaries.items()},
        notes=notes,
    )
    (staging / HINT_FILE).write_bytes(os.fsencode(source.root) + b"\n")
    (staging / DATASET_FILE).write_bytes(encode(manifest))
    return train, val, len(drawn), notes


@contextlib.contextmanager
def _hasher() -> Iterator[ThreadPoolExecutor]:
    """A thread for hashing, which lets go of the interpreter, beside parsing, which does not."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _missing_images(root: Path, parts: Sequence[_Part], options: BuildOptions) -> list[str]:
    """Look whether every image that a split uses is there; they are not opened."""
    used = [
        f"{part.folder}/{name}"
        for part in parts
        for name in part.annotations.file_names[_used_rows(part)].tolist()
    ]
    present = {f"{part.folder}/{name}" for part in parts for name in _listing(root / part.folder)}
    missing = [path for path in used if path not in present and not _is_nested_file(root, path)]
    if not missing:
        return []
    if options.allow_missing_images:
        return [f"{len(missing)} of {len(used)} images are missing"]
    raise InputError(
        f"{len(missing)} of {len(used)} images are missing, first {root / missing[0]}: {GET_COCO}, "
        "or pass --allow-missing-images"
    )


def _is_nested_file(root: Path, path: str) -> bool:
    """Look for an image in a folder below its part's own, which `_listing` does not see."""
    return path.count("/") > 1 and (root / path).is_file()


def _listing(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file()]
    return []


def _used_rows(part: _Part) -> Ids:
    """Return the rows of images in any split: all members of val2017, those of train2017 if normal."""
    used = np.zeros(len(part.annotations.image_ids), bool)
    for members in part.members.values():
        used |= members.member & ~members.anomalous if part.folder == TRAIN else members.member
    return np.flatnonzero(used)


def _write_split(staging: Path, split: int, train: _Part, val: _Part, drawn: DrawnMasks) -> SplitSummary:
    members = train.members[split]
    manifest = SplitManifest(
        format="cocoad-split",
        format_version=FORMAT_VERSION,
        split=split,
        held_out=list(partition(split).held_out),
        train=[TrainSample(*image) for image in _images(train, members.member & ~members.anomalous)],
        test=_test_samples(split, val, drawn),
    )
    data = encode(manifest)
    (staging / split_file(split)).write_bytes(data)
    counts = _counts(train, val, split)
    equal = counts == partition(split).official
    return SplitSummary(
        counts.train_normal, counts.test_normal, counts.test_anomalous, equal, sha256_bytes(data)
    )


def _images(part: _Part, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, str, int, int]]:
    """Yield id, path, width and height of the chosen images, ascending by id."""
    columns = part.annotations
    names = (f"{part.folder}/{name}" for name in columns.file_names[chosen].tolist())
    sizes = columns.widths[chosen].tolist(), columns.heights[chosen].tolist()
    return zip(columns.image_ids[chosen].tolist(), names, *sizes, strict=True)


def _test_samples(split: int, val: _Part, drawn: DrawnMasks) -> list[TestSample]:
    columns, members = val.annotations, val.members[split]
    present: dict[int, tuple[int, ...]] = {}
    for indices in by_image(columns.annotation_rows, members.held_out):
        held_out = np.unique(columns.annotation_category_ids[indices])
        present[int(columns.annotation_rows[indices[0]])] = tuple(held_out.tolist())
    samples = []
    rows = np.flatnonzero(members.member).tolist()
    for row, image in zip(rows, _images(val, members.member), strict=True):
        mask = drawn.get((split, row))
        if mask is None:
            samples.append(TestSample(*image, label=0))
        else:
            path = mask_path(split, image[0])
            samples.append(TestSample(*image, 1, path, mask.sha256, present[row], mask.pixels))
    return samples


def _counts(train: _Part, val: _Part, split: int) -> Counts:
    in_train, in_val = train.members[split], val.members[split]
    anomalous = int(in_val.anomalous.sum())
    return Counts(
        int((in_train.member & ~in_train.anomalous).sum()), int(in_val.member.sum()) - anomalous, anomalous
    )


def _notes(train: _Part, val: _Part) -> list[str]:
    notes = [*train.annotations.oddities, *val.annotations.oddities]
    shared = np.intersect1d(train.annotations.image_ids, val.annotations.image_ids).size
    if shared:
        notes.append(f"{shared} image ids are in both train2017 and val2017")
    return notes


def _mask_notes(val: _Part, oddities: Counter[str], drawn: DrawnMasks) -> list[str]:
    notes = [f"{val.annotations.name}: {n} {what}" for what, n in sorted(oddities.items()) if n]
    empty = sum(mask.pixels == 0 for mask in drawn.values())
    return [*notes, f"{empty} masks of anomalous images are empty"] if empty else notes
