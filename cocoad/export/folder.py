"""The MVTec AD layout, which most anomaly-detection libraries read: one folder per split, images as links."""

from __future__ import annotations

from pathlib import Path

from cocoad.errors import InputError
from cocoad.files import inside
from cocoad.manifest import SplitManifest, read_dataset, read_split
from cocoad.masks import read_mask_png, write_mask_png_gray
from cocoad.staging import staged_directory


def export_folder(dataset: Path, coco_root: Path, out: Path) -> list[Path]:
    """Write every split as `split_K/coco/{train/good, test/good, test/held_out, ground_truth/held_out}`.

    Images become symbolic links into the COCO root, so that nothing is copied; masks are 8-bit PNGs. A split's
    folder appears whole or not at all.

    Raises:
        InputError: a split's folder is there already.
    """
    roots = {int(key): out / f"split_{key}" for key in read_dataset(dataset).splits}
    for root in roots.values():
        if root.exists():
            raise InputError(f"{root} is there already: give another --out, or delete it")
    for number, root in roots.items():
        with staged_directory(root) as staging:
            _write(read_split(dataset, number), dataset, coco_root, staging / "coco")
    return list(roots.values())


def _write(split: SplitManifest, dataset: Path, coco_root: Path, root: Path) -> None:
    masks = root / "ground_truth" / "held_out"
    masks.mkdir(parents=True)
    for sample in split.train:
        _link(inside(coco_root, sample.image), root / "train" / "good")
    for test in split.test:
        _link(inside(coco_root, test.image), root / "test" / ("held_out" if test.label else "good"))
        if test.mask is not None:
            mask = read_mask_png(inside(dataset, test.mask))
            write_mask_png_gray(masks / f"{Path(test.image).stem}_mask.png", mask)


def _link(image: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / image.name).symlink_to(image.resolve())
