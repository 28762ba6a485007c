"""MVTec 3D-AD: ``CLASS/{train, validation, test}/DEFECT/{rgb, gt}/*.png``, of which the colour images are read."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.tree import Tree, scan

GOOD = "good"


def is_mvtec_3d(path: Path) -> bool:
    """Say whether ``path`` is one class, or a folder of classes, of MVTec 3D-AD."""
    return bool(_class_folders(path))


def read_mvtec_3d(path: Path) -> AnomalyDataset:
    """Read the colour images of MVTec 3D-AD; train and validation are the training set.

    Raises:
        InputError: what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    path = path.resolve()
    tree = scan(path)
    train: list[Sample] = []
    test: list[Sample] = []
    for folder in _class_folders(path):
        for part in ("train", "validation"):
            images = tree.images.get(folder / part / GOOD / "rgb", [])
            train += [Sample(_ident(path, image), image, folder.name) for image in images]
        for defect in tree.folders.get(folder / "test", []):
            test += _test(tree, folder, defect)
    used = {sample.image for sample in (*train, *test)} | {sample.mask for sample in test if sample.mask}
    notes = tree.notes({*used, *(file for file in tree.others if file.parent.name != "rgb"), *_black(tree)})
    return checked(path, "mvtec-3d", train, test, problems=tree.problems, notes=notes)


def _test(tree: Tree, folder: Path, defect: Path) -> list[Sample]:
    found = []
    for image in tree.images.get(defect / "rgb", []):
        ident = _ident(tree.root, image)
        if defect.name == GOOD:
            found.append(Sample(ident, image, folder.name))
        else:
            mask = defect / "gt" / f"{image.stem}.png"
            found.append(Sample(ident, image, folder.name, 1, mask, (f"defect:{defect.name}",)))
    return found


def _black(tree: Tree) -> set[Path]:
    """Return the masks of normal images, and the heights, which are images as well."""
    folders = [folder for folder in tree.images if folder.name == "xyz" or folder.parts[-2:] == (GOOD, "gt")]
    return {file for folder in folders for file in tree.images[folder]}


def _class_folders(path: Path) -> list[Path]:
    def is_class(folder: Path) -> bool:
        return (folder / "train" / GOOD / "rgb").is_dir()

    if is_class(path):
        return [path.resolve()]
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and is_class(folder))


def _ident(root: Path, image: Path) -> str:
    return image.relative_to(root).with_suffix("").as_posix()
