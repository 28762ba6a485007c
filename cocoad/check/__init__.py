"""What is this COCO, and what is wrong with it: every fault at once, before anything is built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cocoad.base.errors import EXIT_FINDINGS, EXIT_OK
from cocoad.base.images import without_size_warnings
from cocoad.check.images import look_at_all, same_files
from cocoad.check.outlines import check_outlines
from cocoad.coco.annotations import Annotations, read_annotations
from cocoad.coco.faults import Faults
from cocoad.coco.layout import Sources, find_sources, litter_in, what_lies_in

Advance = Callable[[str, int, int], None]  # what is being done, how much of it, of how much
STANDARD = {"train": "train2017", "val": "val2017"}
OWN = {"train": "train", "val": "val"}


class PartReport(msgspec.Struct, frozen=True):
    """What one part (train or val) consists of, and where it was found."""

    annotations_file: str
    images_folder: str
    images: int
    annotations: int
    categories: int  # that annotations are of
    unannotated: int  # images


class CheckReport(msgspec.Struct, frozen=True):
    """What a COCO holds, by part, and all its faults."""

    root: str
    layout: str
    parts: dict[str, PartReport]
    faults: Faults

    @property
    def exit_code(self) -> int:
        """0 when every fault is taken, else 1."""
        return EXIT_FINDINGS if self.faults.of_severity("fatal", "repairable") else EXIT_OK

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "format": "cocoad-check",
            "format_version": 1,
            "root": self.root,
            "layout": self.layout,
            "parts": msgspec.to_builtins(self.parts),
            "buildable": not self.faults.of_severity("fatal"),
            "faults": self.faults.as_json(),
        }


@without_size_warnings()
def check(
    root: Path,
    *,
    train_annotations: Path | None = None,
    val_annotations: Path | None = None,
    train_images: Path | None = None,
    val_images: Path | None = None,
    own_categories: bool = False,
    decode: bool = False,
    advance: Advance = lambda what, done, total: None,
) -> CheckReport:
    """Read the annotations to the end, look at every image, and say everything.

    Train's outlines, which the benchmark does not need, are not looked at.

    Args:
        root: a COCO root.
        train_annotations, val_annotations, train_images, val_images: where these are, if not to be found there.
        own_categories: take whatever categories the files have, as ``cocoad build --partition`` does.
        decode: also make every image's pixels.
        advance: is told of progress.

    Raises:
        InputError: there is no root or no annotation file to check.
    """
    source = find_sources(
        root,
        train_annotations=train_annotations,
        val_annotations=val_annotations,
        train_images=train_images,
        val_images=val_images,
    )
    faults, read, folders = Faults(), {}, OWN if own_categories else STANDARD
    for number, part in enumerate(("train", "val")):
        advance("reading annotations", number, 2)
        read[part] = read_annotations(
            source.annotations[part],
            segmentations=part == "val",
            folder=folders[part],
            own_categories=own_categories,
            faults=faults,
        )
    check_outlines(read["val"], str(source.annotations["val"]), faults, advance)
    for part, found in read.items():
        _check_shared_files(found, str(source.annotations[part]), faults)
    both = np.intersect1d(read["train"].image_ids, read["val"].image_ids).tolist()
    faults.add_all("id-in-both", "train and val", both, "image ids are in both files")
    places = {
        part: source.folder(part, folders[part], found.file_names.tolist()) for part, found in read.items()
    }
    _check_images(source, read, places, decode, faults, advance)
    return CheckReport(
        root=str(source.root),
        layout="COCO 2017 as downloaded" if _is_standard(source, places, folders) else "another layout",
        parts={part: _part(found, source.annotations[part], places[part]) for part, found in read.items()},
        faults=faults,
    )


def _is_standard(source: Sources, places: dict[str, Path], folders: dict[str, str]) -> bool:
    return source.is_standard and all(place == source.root / folders[part] for part, place in places.items())


def _part(found: Annotations, path: Path, folder: Path) -> PartReport:
    images, annotations = len(found.image_ids), len(found.annotation_rows)
    unannotated = images - len(np.unique(found.annotation_rows))
    kinds = len(np.unique(found.annotation_category_ids))
    return PartReport(str(path), str(folder), images, annotations, kinds, unannotated)


def _check_shared_files(found: Annotations, where: str, faults: Faults) -> None:
    """Note files that are listed under two ids with different categories."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(found.file_names.tolist()):
        rows_of[name].append(row)
    shared = [rows for rows in rows_of.values() if len(rows) > 1]
    kinds: dict[int, set[int]] = defaultdict(set)
    wanted = {row for rows in shared for row in rows}
    if not wanted:
        return
    for row, kind in zip(found.annotation_rows.tolist(), found.annotation_category_ids.tolist(), strict=True):
        if row in wanted:
            kinds[row].add(kind)
    for rows in shared:
        if len({frozenset(kinds[row]) for row in rows}) > 1:
            ids = found.image_ids[rows].tolist()
            detail = f"{found.file_names[rows[0]]} is images {', '.join(map(str, ids))}"
            faults.add_all("file-two-labels", where, ids, detail)


def _check_images(
    source: Sources,
    read: dict[str, Annotations],
    places: dict[str, Path],
    decode: bool,
    faults: Faults,
    advance: Advance,
) -> None:
    total, done, files = sum(len(found.image_ids) for found in read.values()), 0, []

    def count() -> None:
        nonlocal done
        done += 1
        advance("decoding images" if decode else "looking at images", done, total)

    for part, found in read.items():
        where, missing = str(places[part]), []
        paths = [places[part] / name for name in found.file_names.tolist()]
        sizes = zip(found.widths.tolist(), found.heights.tolist(), strict=True)
        looked = look_at_all(list(zip(paths, sizes, strict=True)), decode, count)
        for ident, path, problem in zip(found.image_ids.tolist(), paths, looked, strict=True):
            files.append(((part, ident), path))
            if problem is None:
                continue
            if problem[0] == "image-missing":
                missing.append(ident)
            else:
                faults.add(problem[0], where, ident, problem[1])
        if missing:
            detail = f"{len(missing):,} of {len(paths):,}; {what_lies_in(source.root)}"
            faults.add_all("images-missing", where, missing, detail)
        if litter := litter_in(places[part]):
            faults.add_all("litter", where, litter, litter[0])
    for group in same_files(files):
        parts = {part for part, _ in group}
        names = [f"{part} {ident}" for part, ident in group]
        code = "train-in-test" if len(parts) > 1 else "image-duplicate"
        faults.add(code, " and ".join(sorted(parts)), " = ".join(names), " = ".join(names))
