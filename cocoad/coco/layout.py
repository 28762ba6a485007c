"""Where a COCO's annotation files and images are, in the layouts that people have.

Those of COCO's download page come first: ``annotations/instances_train2017.json`` and ``train2017/``. Else files are
found by their names (`train`, `val`, `validation`, `valid` in them or in their folder's), at most three folders down,
and images by looking where the names in the annotations lie.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocoad.base.errors import InputError
from cocoad.base.files import is_file

GET_COCO = "get train2017, val2017 and annotations_trainval2017 from https://cocodataset.org/#download"
LITTER = re.compile(r"\._.*|\.DS_Store|Thumbs\.db|desktop\.ini|\.ipynb_checkpoints|__MACOSX", re.IGNORECASE)
_DEPTH, _FOLDERS, _PROBES = 3, 2_000, 8
_TOKENS = {"train": re.compile("train", re.IGNORECASE), "val": re.compile("val|test", re.IGNORECASE)}
_OTHER = re.compile(r"captions|keypoints|panoptic|stuff|image_info|results|lvis", re.IGNORECASE)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Sources:
    """The annotation file of each part (train, val), and the folder of its images where that was given."""

    root: Path
    annotations: Mapping[str, Path]
    folders: Mapping[str, Path]

    def folder(self, part: str, name: str, images: Sequence[str]) -> Path:
        """Return where a part's images are: as given, else in ``name``, else where ``images`` lie."""
        return self.folders.get(part) or image_folder(self.root, name, images)

    @property
    def is_standard(self) -> bool:
        """Whether the annotations lie where COCO's download puts them."""
        return all(path == standard_annotations(self.root, part) for part, path in self.annotations.items())


def standard_annotations(root: Path, part: str) -> Path:
    """Return where COCO's download puts a part's instances."""
    return root / "annotations" / f"instances_{part}2017.json"


def find_sources(
    root: Path,
    *,
    train_annotations: Path | None = None,
    val_annotations: Path | None = None,
    train_images: Path | None = None,
    val_images: Path | None = None,
) -> Sources:
    """Find the files of a COCO below ``root``; those that are given are taken as they are.

    Raises:
        InputError: ``root`` or a given folder is none, or a file is not to be found; the message says what is there.
    """
    if not root.is_dir():
        raise InputError(f"the COCO root {root} is not a directory: {GET_COCO}")
    root = root.resolve()
    annotations = {"train": train_annotations, "val": val_annotations}
    found = {part: given or _find_annotations(root, part) for part, given in annotations.items()}
    for path in found.values():
        if not path.exists():
            raise InputError(f"{path} is missing{_what_lies(root)}: {GET_COCO}")
    folders = {
        part: path for part, path in (("train", train_images), ("val", val_images)) if path is not None
    }
    for part, path in folders.items():
        if not path.is_dir():
            raise InputError(f"--{part}-images {path} is not a directory")
    return Sources(root, found, {part: path.resolve() for part, path in folders.items()})


def image_folder(root: Path, name: str, names: Sequence[str]) -> Path:
    """Return the folder below ``root`` that holds a part's images.

    Args:
        name: of its standard folder, such as ``train2017``.
        names: file names relative to it; a few of them are looked for. Where none is to be found anywhere, or the
            standard folder has the first of them, it is the standard folder.
    """
    standard = root / name
    step = max(1, len(names) // _PROBES)
    probes = list(names[::step])[:_PROBES]
    if not probes or is_file(standard / probes[0]):
        return standard
    best, most = standard, _hits(standard, probes)
    token = _TOKENS["train" if name.startswith("train") else "val"]
    for folder in sorted(
        [root, *_folders(root)],
        key=lambda f: (not token.search(f.relative_to(root).as_posix()), len(f.parts)),
    ):
        hits = _hits(folder, probes)
        if hits > most:
            best, most = folder, hits
    return best


def what_lies_in(root: Path) -> str:
    """Say in words which folders with images there are below ``root``."""
    found = []
    for folder in [root, *_folders(root)]:
        with os.scandir(folder) as entries:
            images = sum(Path(entry.name).suffix.lower() in _SUFFIXES for entry in entries)
        if images:
            found.append(f"{folder.relative_to(root).as_posix()} ({images:,} images)")
    if not found:
        return f"{root} has no folder with images"
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return f"{root} has {', '.join(found[:6])}{more}"


def _hits(folder: Path, names: Sequence[str]) -> int:
    return sum(is_file(folder / name) for name in names)


def _find_annotations(root: Path, part: str) -> Path:
    standard = standard_annotations(root, part)
    if standard.exists():
        return standard
    token = _TOKENS[part]
    other = _TOKENS["val" if part == "train" else "train"]
    found: dict[tuple[bool, int], list[Path]] = {}
    for folder in [root, *_folders(root)]:
        for path in sorted(folder.glob("*.json")):
            if _OTHER.search(path.name) or LITTER.fullmatch(path.name):
                continue
            named = token.search(path.stem) and not other.search(path.stem)
            in_folder = not other.search(path.stem) and token.search(folder.relative_to(root).as_posix())
            if named or in_folder:
                found.setdefault((not named, len(path.parts)), []).append(path)
    if not found:
        return standard
    best = found[min(found)]
    instances = [path for path in best if "instances" in path.name]
    best = instances or best
    if len(best) > 1:
        names = ", ".join(path.relative_to(root).as_posix() for path in best[:6])
        option = f"--{part}-annotations"
        raise InputError(f"{root} has several files that may be {part}'s annotations: give {option}: {names}")
    return best[0]


def _what_lies(root: Path) -> str:
    files = [
        path.relative_to(root).as_posix()
        for folder in [root, *_folders(root)]
        for path in folder.glob("*.json")
    ]
    if not files:
        return ""
    return f" (there is {', '.join(sorted(files)[:6])}{', …' if len(files) > 6 else ''})"


def _folders(root: Path) -> list[Path]:
    """Return the folders below ``root``, nearest first; those of litter are left out."""
    found: list[Path] = []
    level = [root]
    for _ in range(_DEPTH):
        below: list[Path] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
            except OSError:
                continue
            below += [folder / name for name in names if not LITTER.fullmatch(name)]
        found += below
        level = below
        if len(found) > _FOLDERS:
            break
    return found


def litter_in(folder: Path) -> list[str]:
    """Return what operating systems and notebooks have left in a folder, ascending."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if LITTER.fullmatch(entry.name))
    except OSError:
        return []


def find_recorded(root: Path, part: str, name: str) -> Path:
    """Return the annotation file of that name which a dataset was built from; else where it should be."""
    standard = root / "annotations" / name
    if standard.is_file():
        return standard
    try:
        found = _find_annotations(root, part)
    except InputError:  # there are several, and one was given
        found = standard
    return found if found.name == name else standard
