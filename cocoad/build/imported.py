"""A copy in the official layout → built dataset: its lists and masks as they are, with what COCO's annotations add.

The layout says of an image whether it is anomalous, and no more: sizes and held-out categories are the annotations'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from cocoad.base.errors import InputError
from cocoad.base.files import inside, sha256_bytes
from cocoad.base.images import without_size_warnings
from cocoad.base.staging import staged_directory
from cocoad.build.builder import look_for_images, notes_of
from cocoad.build.draw import DrawnMask, DrawnMasks
from cocoad.build.manifests import Built, Inputs, Part, write_manifests
from cocoad.build.target import check_target
from cocoad.coco.annotations import Annotations, parse_annotations
from cocoad.coco.faults import Faults
from cocoad.coco.instances import read_bytes
from cocoad.coco.layout import find_sources
from cocoad.coco.partition import Counts, coco_ad
from cocoad.dataset.images import write_hint
from cocoad.dataset.manifest import BuildOptions, InputFile, mask_path
from cocoad.dataset.masks import mask_digest, read_mask_png, write_mask_png
from cocoad.dataset.membership import Membership, membership
from cocoad.dataset.official import ListedImage, MetaFile, mask_folder, mask_name, meta_file, splits_in

FOLDERS = {"train": "train2017", "val": "val2017"}


@without_size_warnings()
def import_official(
    copy: Path,
    out: Path,
    coco_root: Path | None = None,
    *,
    overwrite: bool = False,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[int, Counts]:
    """Make a built dataset of a copy in the official layout; masks are written anew, bit for bit the same.

    Args:
        copy: holds `meta_20_K.json` and the folders of masks.
        out: the directory to make; it appears whole or not at all.
        coco_root: COCO's annotations and images; None: ``copy``, where the layout has them.
        overwrite: replace a built dataset at ``out``.
        advance: is told of progress.

    Returns:
        Each split's numbers of images.

    Raises:
        InputError: no such copy, an image that COCO has not or that the annotations contradict, a mask that is
            missing or of another size, or ``out`` is taken.
    """
    numbers = splits_in(copy)
    if not numbers:
        raise InputError(f"{copy} holds no meta_20_K.json: it is no copy in the official layout")
    if foreign := [number for number in numbers if number not in coco_ad().numbers()]:
        raise InputError(f"{copy / meta_file(foreign[0])}: COCO-AD has no split {foreign[0]}")
    source, target, faults = find_sources(coco_root or copy), out.resolve(), Faults()
    check_target(target, (copy, source.root, *source.annotations.values()), numbers, overwrite)
    annotations: dict[str, Annotations] = {}
    inputs: Inputs = {}
    advance("reading annotations", 0, 1)
    for part in ("train", "val"):
        path = source.annotations[part]
        data = read_bytes(path)
        annotations[part] = parse_annotations(
            data, path, segmentations=False, folder=FOLDERS[part], faults=faults
        )
        inputs[part] = InputFile(path.name, len(data), sha256_bytes(data))
    faults.refuse()
    metas = {number: _read(copy / meta_file(number)) for number in numbers}
    train, val = (
        Part(
            FOLDERS[part],
            columns,
            {
                k: _members(copy / meta_file(k), k, columns, FOLDERS[part], _listed(metas[k], part))
                for k in numbers
            },
        )
        for part, columns in annotations.items()
    )
    found, _ = look_for_images(source, train, val, allow_missing=False)
    with staged_directory(target) as staging:
        drawn: DrawnMasks = {}
        for done, number in enumerate(numbers):
            advance("writing masks", done, len(numbers))
            drawn |= _masks(copy, staging, number, val)
        notes = [*notes_of(train, val), *_differences(train, val)]
        built = Built(train, val, coco_ad(), notes, len(drawn))
        write_manifests(staging, built, drawn, inputs, BuildOptions())
        write_hint(staging, source.root, found)
    return {number: built.counts(number) for number in numbers}


def _read(path: Path) -> MetaFile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=MetaFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a split in the official layout: {error}") from None


def _listed(meta: MetaFile, part: str) -> list[ListedImage]:
    return meta.train.coco if part == "train" else meta.test.coco


def _members(
    path: Path, split: int, columns: Annotations, folder: str, entries: Iterable[ListedImage]
) -> Membership:
    """Return who the file ``path`` says belongs to a split, as the annotations' rows."""
    rows = {f"{folder}/{name}": row for row, name in enumerate(columns.file_names.tolist())}
    given = membership(columns, coco_ad().splits[split].held_out, BuildOptions())
    shows = given.anomalous  # a held-out category
    member, anomalous = np.zeros_like(shows), np.zeros_like(shows)
    for entry in entries:
        row = rows.get(entry.img_path)
        if row is None:
            raise InputError(f"{path}: {entry.img_path} is none of {columns.name}")
        if member[row]:
            raise InputError(f"{path}: {entry.img_path} is listed twice")
        if entry.anomaly and folder == FOLDERS["train"]:
            raise InputError(f"{path}: {entry.img_path} is anomalous, and among the images to train on")
        if entry.anomaly != shows[row]:
            said, other = ("anomalous", "no") if entry.anomaly else ("normal", "a")
            raise InputError(
                f"{path}: {entry.img_path} is {said}, and shows {other} held-out category in {columns.name}"
            )
        member[row], anomalous[row] = True, bool(entry.anomaly)
    return Membership(member, anomalous, given.held_out & member[columns.annotation_rows])


def _masks(copy: Path, staging: Path, split: int, val: Part) -> DrawnMasks:
    """Write a split's masks as a build does; return what it knows of each."""
    columns, drawn = val.annotations, {}
    for row in np.flatnonzero(val.members[split].anomalous).tolist():
        size = int(columns.widths[row]), int(columns.heights[row])
        ident = int(columns.image_ids[row])
        path = inside(copy, f"{mask_folder(split)}/{mask_name(ident)}")
        mask = read_mask_png(path, size)
        if mask.shape != size[::-1]:
            raise InputError(
                f"{path}: {mask.shape[1]}×{mask.shape[0]} pixels, and its image {size[0]}×{size[1]}"
            )
        file = staging / mask_path(split, ident)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_mask_png(file, mask)
        drawn[split, row] = DrawnMask(split, row, mask_digest(mask), int(mask.sum()))
    return drawn


def _differences(train: Part, val: Part) -> list[str]:
    """Say which splits list other images than a build takes."""
    notes = []
    for number in train.members:
        for part in (train, val):
            rule = membership(part.annotations, coco_ad().splits[number].held_out, BuildOptions())
            taken = rule.member & ~rule.anomalous if part is train else rule.member
            listed = part.members[number].member
            more, fewer = int((listed & ~taken).sum()), int((taken & ~listed).sum())
            if more or fewer:
                notes.append(
                    f"split {number}, {part.folder}: {more} images more and {fewer} fewer than a build takes"
                )
    return notes
