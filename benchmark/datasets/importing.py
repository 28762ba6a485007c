"""Photos of good and of bad parts, brought into the folders that every program for anomaly detection reads.

``OUT/{train/good, test/good, test/DEFECT, ground_truth/DEFECT/NAME_mask.png}``, by links or by copies.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.datasets.drawing import TEST_SHARE, drawn
from benchmark.datasets.images import SUFFIXES
from benchmark.datasets.outlines import Outlines, read_outlines
from benchmark.datasets.pairing import LOOKED_FOR, paired
from benchmark.datasets.problems import refuse
from benchmark.datasets.tree import scan
from cocoad.base.errors import InputError
from cocoad.base.images import image_size
from cocoad.base.staging import staged_directory
from cocoad.coco.outlines import rasterize
from cocoad.dataset.masks import write_mask_png_gray

UNNAMED = "bad"  # the defect of images that lie right in the folder of the bad ones


class Imported(NamedTuple):
    """What was imported: images by place, and what its user should know."""

    counts: Counter[str]  # "train/good", "test/good", "test/DEFECT"; "masks"
    notes: list[str]


class _Photo(NamedTuple):
    file: Path
    name: str  # in its folder of the new dataset: where it lay, with __ for /
    defect: str


Truth = Path | Outlines  # a mask's file, or its outlines


def import_photos(
    good: Path,
    bad: Path | None,
    masks: Path | None,
    out: Path,
    *,
    test_share: float | None = None,
    copy: bool = False,
    overwrite: bool = False,
) -> Imported:
    """Make a dataset at ``out`` of normal and anomalous photos; a share of the normal ones is drawn to test on.

    Args:
        good: a folder of normal images, in folders of any depth.
        bad: of anomalous ones; its folders are the kinds of defects.
        masks: a folder of masks by name, or of labelme's JSON files, or a JSON in COCO's format (CVAT, Label
            Studio): outlines are drawn by the rasteriser of COCO-AD's masks.
        out: where the dataset is made.
        test_share: of the normal images, to test on.
        copy: copy the images instead of linking them.
        overwrite: replace what is at ``out``.

    Raises:
        InputError: no images, masks or outlines that belong to no image, outlines for another size, a place that
            exists already.
    """
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists: give another --out, or --overwrite")
    normal, problems, notes = _photos(good, "")
    anomalous, more_problems, more_notes = _photos(bad, UNNAMED) if bad is not None else ([], [], [])
    if not normal:
        problems.append(f"{good}: no images in any of {', '.join(sorted(SUFFIXES))}")
    held = drawn([photo.name for photo in normal], TEST_SHARE if test_share is None else test_share)
    if normal and len(held) == len(normal):
        problems.append(f"{good}: {len(normal)} images: too few to train on some and test on others")
    truths: dict[Path, Truth] = {}
    if masks is not None:
        truths, of_masks = _truths(masks, anomalous)
        problems += of_masks
    refuse(good, [*problems, *more_problems])
    counts: Counter[str] = Counter()
    with staged_directory(out) as folder:
        for photo in [*normal, *anomalous]:
            part = "train" if photo.defect == "" and photo.name not in held else "test"
            place = f"{part}/{photo.defect or 'good'}"
            _put(photo.file, folder / place / photo.name, copy)
            counts[place] += 1
            if (truth := truths.get(photo.file)) is not None:
                _put_truth(truth, photo, folder / "ground_truth" / photo.defect, copy)
                counts["masks"] += 1
    return Imported(counts, [*notes, *more_notes])


def _photos(folder: Path, unnamed: str) -> tuple[list[_Photo], list[str], list[str]]:
    """Return the images below a folder, by the kind of defect, and what is wrong or odd with it."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    root = folder.resolve()
    tree = scan(root)
    found = []
    for image in tree.below(root):
        inner = image.relative_to(root).parts
        first, rest = (inner[0], inner[1:]) if unnamed and len(inner) > 1 else (unnamed, inner)
        found.append(_Photo(image, "__".join(rest), first))
    names = Counter((photo.defect, Path(photo.name).stem) for photo in found)
    problems = [f"{folder}: {count} images called {name}" for (_, name), count in names.items() if count > 1]
    return (
        found,
        [*(f"{folder}: {problem}" for problem in tree.problems), *problems],
        tree.notes(tree.below(root)),
    )


def _truths(masks: Path, photos: Sequence[_Photo]) -> tuple[dict[Path, Truth], list[str]]:
    if masks.is_dir() and not any(file.suffix == ".json" for file in masks.rglob("*")):
        return _mask_files(masks, photos)
    outlines, problems = read_outlines(masks)
    found: dict[Path, Truth] = {}
    for each in outlines:
        owners = [photo.file for photo in photos if each.is_of(photo.file.name)]
        if len(owners) == 1:
            size = image_size(owners[0])
            if size == (each.width, each.height):
                found[owners[0]] = each
            else:
                problems.append(
                    f"{each.name}: outlines for {each.width}x{each.height}, the image is {size[0]}x{size[1]}"
                )
        elif each.segmentations:
            what = "is no image of --bad" if not owners else f"is the name of {len(owners)} images"
            problems.append(f"{masks}: {each.name}, which has outlines, {what}")
    return found, problems


def _mask_files(masks: Path, photos: Sequence[_Photo]) -> tuple[dict[Path, Truth], list[str]]:
    root = masks.resolve()
    tree = scan(root)
    found: dict[Path, Truth] = {}
    left = dict.fromkeys(tree.below(root))
    for defect in dict.fromkeys(photo.defect for photo in photos):
        own = root / defect
        candidates = tree.below(own) if own in tree.folders.get(root, []) else tree.below(root)
        images = [photo.file for photo in photos if photo.defect == defect]
        for image, mask in zip(images, paired(images, candidates).masks, strict=True):
            if mask is not None:
                found[image] = mask
                left.pop(mask, None)
    strays = [f"{tree.name(mask)} is the mask of no image of --bad: looked for {LOOKED_FOR}" for mask in left]
    return found, [*tree.problems, *strays]


def _put(file: Path, place: Path, copy: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not copy:
        try:
            place.symlink_to(file)
            return
        except OSError:  # a file system without links
            pass
    shutil.copyfile(file, place)


def _put_truth(truth: Truth, photo: _Photo, folder: Path, copy: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(photo.name).stem
    if isinstance(truth, Path):
        _put(truth, folder / f"{stem}_mask{truth.suffix}", copy)
    else:
        mask = rasterize(truth.segmentations, truth.height, truth.width, "ader")
        write_mask_png_gray(folder / f"{stem}_mask.png", mask.astype(np.uint8))
