"""The MVTec AD layout: ``[CLASS/]{train/good, test/DEFECT, ground_truth/DEFECT/*_mask.png}``; and its relatives.

Uni-Medical has the same folders, but pairs images and masks by their order. MVTec 3D-AD has
``CLASS/{train, validation, test}/DEFECT/{rgb, gt}/*.png``, of which the colour images are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmark.datasets.checks import checked
from benchmark.datasets.images import SUFFIXES
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.errors import InputError

GOOD = "good"
UNI_MEDICAL = {"brain", "liver", "retinal"}
# (images, folder of masks) -> mask of each
FindMasks = Callable[[Sequence[Path], Path], Sequence[Path | None]]


def is_folder(path: Path) -> bool:
    """Say whether ``path`` is one class, or a folder of classes, of this layout."""
    return bool(_class_folders(path))


def is_uni_medical(path: Path) -> bool:
    """Say whether ``path`` is such a folder with no classes but Uni-Medical's."""
    return {folder.name for folder in _class_folders(path)} <= UNI_MEDICAL and is_folder(path)


def is_mvtec_3d(path: Path) -> bool:
    """Say whether ``path`` is one class, or a folder of classes, of MVTec 3D-AD."""
    return any((folder / "train" / GOOD / "rgb").is_dir() for folder in _class_folders(path))


def read_folder(path: Path) -> AnomalyDataset:
    """Read all classes of a folder like MVTec AD.

    Raises:
        InputError: what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    return _read(path, "folder", _masks_by_name, None)


def read_uni_medical(path: Path) -> AnomalyDataset:
    """Read Uni-Medical: the n-th mask of a defect belongs to its n-th image; values > 0 are anomalous.

    Raises:
        InputError: as many masks as images are not there, or as :func:`read_folder`.
    """
    return _read(path, "uni-medical", _masks_by_order, 0)


def read_mvtec_3d(path: Path) -> AnomalyDataset:
    """Read the colour images of MVTec 3D-AD; train and validation are the training set.

    Raises:
        InputError: as :func:`read_folder`.
    """
    path = path.resolve()
    train: list[Sample] = []
    test: list[Sample] = []
    for folder in _class_folders(path):
        for part in ("train", "validation"):
            if (rgb := folder / part / GOOD / "rgb").is_dir():
                train += [Sample(_ident(path, image), image, folder.name) for image in _images(rgb)]
        for defect in _defects(folder):
            images = _images(defect / "rgb") if (defect / "rgb").is_dir() else []
            masks = [defect / "gt" / f"{image.stem}.png" for image in images]
            test += _test(path, folder, defect.name, images, masks, 0)
    return checked(path, "mvtec-3d", train, test)


def _read(path: Path, layout: str, find_masks: FindMasks, threshold: int | None) -> AnomalyDataset:
    path = path.resolve()
    train: list[Sample] = []
    test: list[Sample] = []
    problems = []
    for folder in _class_folders(path):
        images = _images(folder / "train" / GOOD)
        if not images:
            problems.append(f"class {folder.name}: no images in train/good")
        train += [Sample(_ident(path, image), image, folder.name) for image in images]
        for defect in _defects(folder):
            images = _images(defect)
            truth = folder / "ground_truth" / defect.name
            try:
                masks = [None] * len(images) if defect.name == GOOD else find_masks(images, truth)
            except InputError as error:
                problems.append(str(error))
                continue
            test += _test(path, folder, defect.name, images, masks, threshold)
    return checked(path, layout, train, test, problems=problems)


def _masks_by_name(images: Sequence[Path], truth: Path) -> list[Path | None]:
    def mask(image: Path) -> Path | None:
        names = (f"{image.stem}_mask.png", f"{image.stem}.png")
        return next((truth / name for name in names if (truth / name).is_file()), None)

    return [mask(image) for image in images]


def _masks_by_order(images: Sequence[Path], truth: Path) -> list[Path]:
    masks = _images(truth) if truth.is_dir() else []
    if len(masks) != len(images):
        raise InputError(f"{truth}: {len(masks)} masks for {len(images)} images")
    return masks


def _test(
    root: Path,
    folder: Path,
    defect: str,
    images: Sequence[Path],
    masks: Sequence[Path | None],
    threshold: int | None,
) -> Iterator[Sample]:
    for image, mask in zip(images, masks, strict=True):
        ident = _ident(root, image)
        if defect == GOOD:
            yield Sample(ident, image, folder.name)
        else:
            yield Sample(ident, image, folder.name, 1, mask, (f"defect:{defect}",), threshold)


def _class_folders(path: Path) -> list[Path]:
    def is_class(folder: Path) -> bool:
        return (folder / "train" / GOOD).is_dir() and (folder / "test").is_dir()

    if is_class(path):
        return [path.resolve()]
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and is_class(folder))


def _defects(folder: Path) -> list[Path]:
    return sorted(entry for entry in (folder / "test").iterdir() if entry.is_dir())


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def _ident(root: Path, image: Path) -> str:
    return image.relative_to(root).with_suffix("").as_posix()
