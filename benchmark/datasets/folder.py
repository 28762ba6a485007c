"""The MVTec AD layout: ``[CLASS/]{train/good, test/DEFECT, ground_truth/DEFECT/*_mask.png}``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.errors import InputError

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
GOOD = "good"
SHOWN = 5


def is_folder(path: Path) -> bool:
    """Say whether ``path`` is one class, or a folder of classes, of this layout."""
    return bool(_class_folders(path))


def read_folder(path: Path) -> AnomalyDataset:
    """Read all classes; the hash is over the relative paths and sizes of all images and masks.

    Raises:
        InputError: a class without training or test images, or anomalous images without masks (all are counted).
    """
    path = path.resolve()
    folders = _class_folders(path)
    train = tuple(sample for folder in folders for sample in _train(path, folder))
    problems: list[str] = []
    test = tuple(sample for folder in folders for sample in _test(path, folder, problems))
    if problems:
        shown = ", ".join(problems[:SHOWN])
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError(f"{path}: anomalous images without a mask in ground_truth: {shown}{more}")
    for folder in folders:
        for part, samples in (("train/good", train), ("test", test)):
            if not any(sample.class_name == folder.name for sample in samples):
                raise InputError(f"{folder}: no images in {part}")
    return AnomalyDataset(path.name, "folder", None, _hash(train + test), train, test)


def _class_folders(path: Path) -> list[Path]:
    def is_class(folder: Path) -> bool:
        return (folder / "train" / GOOD).is_dir() and (folder / "test").is_dir()

    if is_class(path):
        return [path]
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and is_class(folder))


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _ident(root: Path, image: Path) -> str:
    return (
        image.relative_to(root.resolve() if image.is_relative_to(root.resolve()) else root)
        .with_suffix("")
        .as_posix()
    )


def _train(root: Path, folder: Path) -> Iterator[Sample]:
    for image in _images(folder / "train" / GOOD):
        yield Sample(_ident(root, image), image, folder.name)


def _test(root: Path, folder: Path, problems: list[str]) -> Iterator[Sample]:
    for defect in sorted(entry for entry in (folder / "test").iterdir() if entry.is_dir()):
        for image in _images(defect):
            ident = _ident(root, image)
            if defect.name == GOOD:
                yield Sample(ident, image, folder.name)
                continue
            truth = folder / "ground_truth" / defect.name
            masks = [truth / f"{image.stem}_mask.png", truth / f"{image.stem}.png"]
            mask = next((candidate for candidate in masks if candidate.is_file()), None)
            if mask is None:
                problems.append(ident)
            yield Sample(ident, image, folder.name, 1, mask, (f"defect:{defect.name}",))


def _hash(samples: tuple[Sample, ...]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for file in (sample.image, sample.mask):
            if file is not None:
                digest.update(f"{sample.id}\0{file.name}\0{file.stat().st_size}\n".encode())
    return digest.hexdigest()
