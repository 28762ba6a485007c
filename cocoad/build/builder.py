"""COCO root → built dataset: all splits and their masks in one pass over the two annotation files."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np

from cocoad.base.errors import InputError
from cocoad.base.files import hash_all, is_file, sha256_bytes
from cocoad.base.processes import processors
from cocoad.base.staging import staged_directory
from cocoad.build.draw import DrawnMasks, drawing
from cocoad.build.manifests import Built, Inputs, Part, write_manifests
from cocoad.build.report import BuildReport, compare, warnings
from cocoad.build.target import check_target
from cocoad.coco.annotations import Annotations, Ids, parse_annotations
from cocoad.coco.faults import Faults
from cocoad.coco.instances import read_bytes
from cocoad.coco.layout import GET_COCO, Sources, find_sources, what_lies_in
from cocoad.coco.own import partition_set, read_plan
from cocoad.coco.partition import PartitionSet, coco_ad
from cocoad.dataset.images import write_hint
from cocoad.dataset.manifest import (
    BuildOptions,
    InputFile,
)
from cocoad.dataset.membership import membership

Folders: TypeAlias = dict[str, Path]  # of images, by what begins their paths in the dataset
Advance: TypeAlias = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


def build_dataset(
    coco_root: str | Path,
    out: str | Path,
    *,
    splits: Sequence[int] | None = None,
    options: BuildOptions | None = None,
    partition: Path | None = None,
    train_annotations: Path | None = None,
    val_annotations: Path | None = None,
    train_images: Path | None = None,
    val_images: Path | None = None,
    jobs: int | None = None,
    hash_images: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    advance: Advance = lambda what, done, total: None,
) -> BuildReport:
    """Build COCO-AD from a COCO 2017 root, or a benchmark of one's own from any files in COCO's format.

    Args:
        coco_root: holds annotations and images, in a layout that `cocoad.coco.layout` finds.
        out: the directory to make; it appears whole or not at all.
        splits: which, each once; by default all.
        partition: a file with a partition of one's own (`cocoad.coco.own`); the files' own categories are taken.
        train_annotations, val_annotations: these files, wherever they are.
        train_images, val_images: these folders, wherever they are.
        jobs: processes that draw masks (default: one per processor, at most 4), about 100 MB each; the result
            does not depend on it.
        hash_images: record the SHA-256 of every image, which reads them all; `verify` then finds changed ones, and
            each split's hash contains them.
        overwrite: replace a built dataset at ``out`` that holds no other splits and nothing else.
        dry_run: only count.
        advance: is told of progress.

    Raises:
        InputError: a file is missing or not what it must be (all faults are told), ``out`` is taken, or there is no
            such split.
    """
    started = time.monotonic()
    coco_root, out = Path(coco_root), Path(out)
    options = options or BuildOptions()
    source = find_sources(
        coco_root,
        train_annotations=train_annotations,
        val_annotations=val_annotations,
        train_images=train_images,
        val_images=val_images,
    )
    work = _Build(source, partition, splits, options, jobs or processors(), hash_images, advance)
    if dry_run:
        built = work.count()
    else:
        target = out.resolve()
        files = (source.root, *source.annotations.values(), *source.folders.values())
        check_target(target, files, splits, overwrite)
        with staged_directory(target) as staging:
            built = work.write(staging)
    report = compare({k: built.counts(k) for k in built.train.members}, built.partitions)
    images = len(built.train.annotations.image_ids), len(built.val.annotations.image_ids)
    return BuildReport(
        out=None if dry_run else str(out),
        benchmark=built.partitions.name,
        seconds=round(time.monotonic() - started, 2),
        options=options,
        masks=built.masks,
        splits=report,
        notes=built.notes,
        warnings=warnings(report, options, images, built.partitions),
    )


class _Build:
    """One build: reads val, draws its masks while train is read, and writes everything."""

    def __init__(
        self,
        source: Sources,
        own: Path | None,
        splits: Sequence[int] | None,
        options: BuildOptions,
        jobs: int,
        hash_images: bool,
        advance: Advance,
    ) -> None:
        self.source, self.own, self.splits = source, own, splits
        self.options, self.jobs, self.advance = options, jobs, advance
        self.hash_images = hash_images
        self.plan = None if own is None else read_plan(own)
        if self.plan is None:
            _check_splits(splits, coco_ad())
        self.folders = (
            {"train": "train2017", "val": "val2017"} if own is None else {"train": "train", "val": "val"}
        )
        self.faults = Faults()

    def count(self) -> Built:
        """Read both files without outlines, and count."""
        val = self._read("val", read_bytes(self.source.annotations["val"]), outlines=False)
        partitions = self._partitions(val)
        train = self._read("train", read_bytes(self.source.annotations["train"]), outlines=False)
        self.faults.refuse()
        parts = [self._part(part, found, partitions) for part, found in (("train", train), ("val", val))]
        return Built(parts[0], parts[1], partitions, notes_of(*parts))

    def write(self, staging: Path) -> Built:
        """Write the dataset into ``staging``."""
        self.advance("reading annotations", 0, 1)
        val_path, train_path = self.source.annotations["val"], self.source.annotations["train"]
        val_bytes = read_bytes(val_path)
        annotations = self._read("val", val_bytes, outlines=True)
        partitions = self._partitions(annotations)
        val = self._part("val", annotations, partitions)
        with (
            drawing(annotations, val.members, self.options.rasterizer, staging, self.jobs) as masks,
            _hasher() as hasher,
        ):
            train_bytes = read_bytes(train_path)
            train_hash = hasher.submit(sha256_bytes, train_bytes)
            train = self._part("train", self._read("train", train_bytes, outlines=False), partitions)
            allow = self.options.allow_missing_images
            found, missing = look_for_images(self.source, train, val, allow)
            drawn, oddities = masks.finish(
                str(val_path), self.faults, lambda done, total: self.advance("drawing masks", done, total)
            )
            self.faults.refuse()
            inputs: Inputs = {
                "train": InputFile(train_path.name, len(train_bytes), train_hash.result()),
                "val": InputFile(val_path.name, len(val_bytes), sha256_bytes(val_bytes)),
            }
        notes = notes_of(train, val) + _mask_notes(annotations, oddities, drawn) + missing
        hashes = _hashes(found, self.advance, train, val) if self.hash_images else {}
        built = Built(train, val, partitions, notes, len(drawn), hashes)
        self.advance("writing splits", 0, 1)
        write_manifests(staging, built, drawn, inputs, self.options)
        write_hint(staging, self.source.root, found)
        return built

    def _read(self, part: str, data: bytes, outlines: bool) -> Annotations:
        return parse_annotations(
            data,
            self.source.annotations[part],
            segmentations=outlines,
            folder=self.folders[part],
            own_categories=self.plan is not None,
            faults=self.faults,
        )

    def _partitions(self, annotations: Annotations) -> PartitionSet:
        if self.plan is None or self.own is None:
            return coco_ad()
        partitions = partition_set(self.plan, self.own, annotations.categories, annotations.supercategories)
        _check_splits(self.splits, partitions)
        return partitions

    def _part(self, part: str, annotations: Annotations, partitions: PartitionSet) -> Part:
        if annotations.categories != partitions.categories:
            detail = f"its categories are not those of {self.source.annotations['val']}"
            self.faults.add("category-foreign", str(self.source.annotations[part]), detail=detail)
        numbers = self.splits or partitions.numbers()
        chosen = {k: membership(annotations, partitions.splits[k].held_out, self.options) for k in numbers}
        return Part(self.folders[part], annotations, chosen)


def look_for_images(
    source: Sources, train: Part, val: Part, allow_missing: bool
) -> tuple[Folders, list[str]]:
    """Look whether every image that a split uses is there; they are not opened.

    Returns:
        Each part's folder, and a note of those that are missing.

    Raises:
        InputError: some are missing, and that is not allowed.
    """
    used, missing, found = 0, 0, {}
    first: Path | None = None
    for part, name in ((train, "train"), (val, "val")):
        names = part.annotations.file_names[_used_rows(part)].tolist()
        folder = found[part.folder] = source.folder(name, part.folder, names)
        present = set(_listing(folder))
        used += len(names)
        absent = [n for n in names if n not in present and not _is_nested_file(folder, n)]
        missing += len(absent)
        first = first or (folder / absent[0] if absent else None)
    if not missing:
        return found, []
    what = f"{missing} of {used} images are missing"
    if allow_missing:
        return found, [what]
    raise InputError(
        f"{what}, first {first} ({what_lies_in(source.root)}): give --train-images, --val-images, "
        f"{GET_COCO}, or pass --allow-missing-images"
    )


def _hashes(folders: Folders, advance: Advance, *parts: Part) -> dict[str, str]:
    """Return the SHA-256 of every image that a split uses and that is there, by its path in the dataset."""
    paths = {
        f"{part.folder}/{name}": folders[part.folder] / name
        for part in parts
        for name in part.annotations.file_names[_used_rows(part)].tolist()
    }
    there = [(image, path) for image, path in paths.items() if is_file(path)]
    return dict(hash_all(there, lambda done, total: advance("hashing images", done, total)))


def _check_splits(splits: Sequence[int] | None, partitions: PartitionSet) -> None:
    for split in splits or ():
        if split not in partitions.numbers():
            name = "COCO-AD" if partitions.sha256 is None else partitions.name
            raise InputError(
                f"there is no split {split}: {name} has {', '.join(map(str, partitions.numbers()))}"
            )


@contextlib.contextmanager
def _hasher() -> Iterator[ThreadPoolExecutor]:
    """A thread for hashing, which lets go of the interpreter, beside parsing, which does not."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _is_nested_file(folder: Path, name: str) -> bool:
    """Look for an image in a folder below its part's own, which `_listing` does not see."""
    return "/" in name and is_file(folder / name)


def _listing(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file()]
    return []


def notes_of(train: Part, val: Part) -> list[str]:
    """Return what is odd about the annotations of both."""
    notes = [*train.annotations.oddities, *val.annotations.oddities]
    shared = np.intersect1d(train.annotations.image_ids, val.annotations.image_ids).size
    if shared:
        notes.append(f"{shared} image ids are in both {train.folder} and {val.folder}")
    return notes


def _used_rows(part: Part) -> Ids:
    """Return the rows of images in any split: all members of val, those of train if normal."""
    used = np.zeros(len(part.annotations.image_ids), bool)
    for members in part.members.values():
        used |= members.member & ~members.anomalous if part.folder.startswith("train") else members.member
    return np.flatnonzero(used)


def _mask_notes(val: Annotations, oddities: Counter[str], drawn: DrawnMasks) -> list[str]:
    notes = [f"{val.name}: {n} {what}" for what, n in sorted(oddities.items()) if n]
    empty = sum(mask.pixels == 0 for mask in drawn.values())
    return [*notes, f"{empty} masks of anomalous images are empty"] if empty else notes
