"""The MVTec AD layout, which most anomaly-detection libraries read: one folder per split, images as links."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from cocoad.base.errors import InputError
from cocoad.base.files import is_file
from cocoad.base.images import without_size_warnings
from cocoad.base.staging import staged_directory
from cocoad.dataset.images import Images, find_images
from cocoad.dataset.manifest import (
    SplitManifest,
    TestSample,
    TrainSample,
    read_dataset,
    read_split,
)
from cocoad.dataset.masks import read_sample_mask, write_mask_png_gray
from cocoad.export.together import appearing_together

UNFINISHED = ".folder-export.unfinished"
Place = Callable[[Path, Path], None]  # an image's file, and where it is to be
Note = Callable[[str], object]


@without_size_warnings()
def export_folder(
    dataset: Path, out: Path, coco_root: Path | None = None, *, copy: bool = False, note: Note = print
) -> list[Path]:
    """Write every split as `split_K/coco/{train/good, test/good, test/held_out, ground_truth/held_out}`.

    Images become symbolic links into the COCO root, so that nothing is copied, and masks 8-bit PNGs, all named by
    the image's id, which no other has. All splits' folders appear, each whole, or none does; what an export left
    that was killed as they appeared the next one clears.

    Args:
        coco_root: where COCO's images are; None: as the build left it.
        copy: copy the images; so it is done, too, where the file system has no symbolic links.
        note: is told of that.

    Raises:
        InputError: a split's folder is there already, images are missing, or a mask is not as it was built.
    """
    splits = {int(key): read_split(dataset, int(key)) for key in read_dataset(dataset).splits}
    with appearing_together(out, splits, lambda k: (_folder(k),), UNFINISHED):
        images = find_images(dataset, _images(splits.values()), coco_root)
        _check_images(images, splits.values())
        with contextlib.ExitStack() as stack:
            place_image = _copy if copy else None
            for number, split in splits.items():
                staging = stack.enter_context(staged_directory(out / _folder(number)))
                if place_image is None:
                    place_image = _link if _has_links(staging) else _copy
                    if place_image is _copy:
                        note(f"{out} has no symbolic links: the images are copied")
                _write(split, dataset, images, staging / "coco", place_image)
    return [out / _folder(number) for number in splits]


def _folder(split: int) -> str:
    return f"split_{split}"


def _images(splits: Collection[SplitManifest]) -> list[str]:
    train = {sample.image for split in splits for sample in split.train}
    return sorted(train | {sample.image for split in splits for sample in split.test})


def _check_images(images: Images, splits: Collection[SplitManifest]) -> None:
    wanted = _images(splits)
    missing = [path for image in wanted if not is_file(path := images.path(image))]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} images are missing, first {missing[0]}: give --coco-root DIR"
        )


def _has_links(folder: Path) -> bool:
    """Try whether the file system takes symbolic links: exFAT, some network drives and mounted ones do not."""
    probe = folder / "link"
    try:
        probe.symlink_to(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        return False
    probe.unlink()
    return True


def _write(split: SplitManifest, dataset: Path, images: Images, root: Path, place: Place) -> None:
    good, masks = root / "train" / "good", root / "ground_truth" / "held_out"
    tests = root / "test" / "good", root / "test" / "held_out"  # by label
    for folder in (good, masks, *tests):
        folder.mkdir(parents=True)
    for sample in split.train:
        place(images.path(sample.image), _named(sample, good))
    for test in split.test:
        place(images.path(test.image), _named(test, tests[test.label]))
        if test.label:
            write_mask_png_gray(masks / f"{test.id:012d}_mask.png", read_sample_mask(dataset, test))


def _named(sample: TrainSample | TestSample, folder: Path) -> Path:
    return folder / f"{sample.id:012d}{PurePosixPath(sample.image).suffix}"


def _link(image: Path, target: Path) -> None:
    target.symlink_to(image.resolve())


def _copy(image: Path, target: Path) -> None:
    shutil.copyfile(image, target)
