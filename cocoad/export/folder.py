"""The MVTec AD layout, which most anomaly-detection libraries read: one folder per split, images as links."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.base.images import without_size_warnings
from cocoad.base.staging import staged_directory
from cocoad.dataset.manifest import (
    SplitManifest,
    TestSample,
    TrainSample,
    find_coco_root,
    read_dataset,
    read_split,
)
from cocoad.dataset.masks import read_sample_mask, write_mask_png_gray


@without_size_warnings()
def export_folder(dataset: Path, out: Path, coco_root: Path | None = None) -> list[Path]:
    """Write every split as `split_K/coco/{train/good, test/good, test/held_out, ground_truth/held_out}`.

    Images become symbolic links into the COCO root, so that nothing is copied, and masks 8-bit PNGs, all named by
    the image's id, which no other has. All splits' folders appear, each whole, or none does.

    Args:
        coco_root: where COCO's images are; None: as the build left it.

    Raises:
        InputError: a split's folder is there already, images are missing, or a mask is not as it was built.
    """
    root = find_coco_root(dataset, coco_root).resolve()
    places = {int(key): out / f"split_{key}" for key in read_dataset(dataset).splits}
    for place in places.values():
        if place.exists():
            raise InputError(f"{place} is there already: give another --out, or delete it")
    splits = {number: read_split(dataset, number) for number in places}
    _check_images(root, splits.values())
    with contextlib.ExitStack() as stack:
        for number, place in places.items():
            staging = stack.enter_context(staged_directory(place))
            _write(splits[number], dataset, root, staging / "coco")
    return list(places.values())


def _check_images(coco_root: Path, splits: Collection[SplitManifest]) -> None:
    train = {sample.image for split in splits for sample in split.train}
    images = train | {sample.image for split in splits for sample in split.test}
    missing = sorted(image for image in images if not inside(coco_root, image).is_file())
    if missing:
        raise InputError(
            f"{len(missing)} of {len(images)} images are missing, first {coco_root / missing[0]}: "
            "give --coco-root DIR"
        )


def _write(split: SplitManifest, dataset: Path, coco_root: Path, root: Path) -> None:
    good, masks = root / "train" / "good", root / "ground_truth" / "held_out"
    tests = root / "test" / "good", root / "test" / "held_out"  # by label
    for folder in (good, masks, *tests):
        folder.mkdir(parents=True)
    for sample in split.train:
        _link(sample, coco_root, good)
    for test in split.test:
        _link(test, coco_root, tests[test.label])
        if test.label:
            write_mask_png_gray(masks / f"{test.id:012d}_mask.png", read_sample_mask(dataset, test))


def _link(sample: TrainSample | TestSample, coco_root: Path, folder: Path) -> None:
    suffix = PurePosixPath(sample.image).suffix
    (folder / f"{sample.id:012d}{suffix}").symlink_to(coco_root / sample.image)
