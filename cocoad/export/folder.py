"""The MVTec AD layout, which most anomaly-detection libraries read: one folder per split, images as links."""

from __future__ import annotations

from pathlib import Path

import cv2

from cocoad.errors import InputError
from cocoad.files import inside
from cocoad.manifest import read_dataset, read_split
from cocoad.masks import read_mask_png


def export_folder(dataset: Path, coco_root: Path, out: Path) -> list[Path]:
    """Write every split as `split_K/coco/{train/good, test/good, test/held_out, ground_truth/held_out}`.

    Images become symbolic links into the COCO root, so that nothing is copied; masks are 8-bit PNGs.

    Raises:
        InputError: a split's folder is there already.
    """
    roots = []
    for split in (read_split(dataset, int(key)) for key in read_dataset(dataset).splits):
        root = out / f"split_{split.split}" / "coco"
        if root.exists():
            raise InputError(f"{root} is there already: give another --out, or delete it")
        for sample in split.train:
            _link(inside(coco_root, sample.image), root / "train" / "good")
        for test in split.test:
            _link(inside(coco_root, test.image), root / "test" / ("held_out" if test.label else "good"))
            if test.mask is not None:
                mask = read_mask_png(inside(dataset, test.mask))
                target = root / "ground_truth" / "held_out" / f"{Path(test.image).stem}_mask.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(target), mask.astype("uint8") * 255)
        roots.append(root.parent)
    return roots


def _link(image: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / image.name).symlink_to(image.resolve())
