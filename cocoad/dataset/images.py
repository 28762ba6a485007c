"""Where the images of a dataset are: below the COCO root that is given, or that the build remembered."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.coco.layout import image_folder
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE, HINT_FILE

PARTS = ("train2017", "val2017", "train", "val")  # what an image's path in a dataset begins with


def write_hint(directory: Path, root: Path, folders: Mapping[str, Path]) -> None:
    """Leave word of where the images lay: the root, and each folder that is not below it under its own name."""
    lines = [str(root), *(f"{name}: {path}" for name, path in folders.items() if path != root / name)]
    (directory / HINT_FILE).write_bytes(b"".join(os.fsencode(line) + b"\n" for line in lines))


def _hint(directory: Path) -> tuple[str | None, dict[str, Path]]:
    path = directory / HINT_FILE
    if not path.is_file():
        return None, {}
    root, *more = os.fsdecode(path.read_bytes().strip()).split("\n")
    folders = (line.partition(": ") for line in more)
    return root, {name: Path(folder) for name, _, folder in folders if _is_path(folder)}


@dataclass(frozen=True)
class Images:
    """Where a dataset's images lie: ``train2017/x.jpg`` in the folder of train2017, whatever that is called."""

    root: Path
    folders: Mapping[str, Path]

    def path(self, image: str) -> Path:
        """Return an image's file; raise InputError when its path would leave its folder."""
        part, _, name = image.partition("/")
        if part in self.folders and name:
            return inside(self.folders[part], name)
        return inside(self.root, image)


def find_images(directory: Path, images: Iterable[str], given: Path | None = None) -> Images:
    """Say where the images of a dataset are, below the root that `find_coco_root` finds.

    Args:
        images: their paths in the dataset.

    Raises:
        InputError: there is no such root.
    """
    root = find_coco_root(directory, given)
    hinted, folders = _hint(directory)
    if folders and hinted and Path(hinted) == root:
        return Images(root, folders)
    names: dict[str, list[str]] = {}
    for image in images:
        part, _, name = image.partition("/")
        names.setdefault(part, []).append(name)
    return Images(root, {part: image_folder(root, part, names[part]) for part in PARTS if part in names})


def official_root(directory: Path, given: Path | None = None) -> Path:
    """Say where the images of a dataset in the official layout are: ``given``, else $COCO_ROOT, else beside it.

    Raises:
        InputError: what is given is no directory.
    """
    if given is None and not os.environ.get(COCO_ROOT_VARIABLE):
        return directory
    return find_coco_root(directory, given)


def _is_path(text: str) -> bool:
    """Say whether a file could be there: not where a name is too long, has a zero byte, or is a link to itself."""
    try:
        Path(text).exists()
    except (OSError, ValueError):
        return False
    return True


def find_coco_root(directory: Path, given: Path | None = None) -> Path:
    """Say where the images are: ``given``, else $COCO_ROOT, else the hint left by the build.

    Raises:
        InputError: none of the three names a directory.
    """
    hint = directory / HINT_FILE
    hinted, _ = _hint(directory)
    candidates = [
        ("--coco-root", given),
        (f"${COCO_ROOT_VARIABLE}", os.environ.get(COCO_ROOT_VARIABLE)),
        (str(hint), hinted),
    ]
    for source, value in candidates:
        if value:
            root = Path(value)
            if not _is_path(str(value)) or not root.is_dir():
                raise InputError(
                    f"the COCO root {root} (from {source}) is not a directory: give --coco-root DIR"
                )
            return root
    raise InputError(f"where is COCO? give --coco-root DIR or set ${COCO_ROOT_VARIABLE}")
