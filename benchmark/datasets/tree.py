"""All files below a dataset's folder, so that none is left out in silence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.datasets.images import SUFFIXES

LITTER = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx"}
)  # what operating systems leave; and all dot files
NAMED = 3  # files that a note names


@dataclass
class Tree:
    """Files below ``root`` by what they are.

    Attributes:
        folders: of each folder its folders, sorted.
        images: of each folder the image files right in it, sorted.
        others: files that are no images.
        litter: files and folders that no person made.
        problems: entries that are no files: links whose target is gone, pipes, folders that contain themselves.
    """

    root: Path
    folders: dict[Path, list[Path]] = field(default_factory=dict)
    images: dict[Path, list[Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    litter: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def below(self, folder: Path, without: Iterable[Path] = ()) -> list[Path]:
        """Return all images below ``folder``, but for those below the folders ``without``."""
        found = list(self.images.get(folder, []))
        for inner in self.folders.get(folder, []):
            if inner not in without:
                found += self.below(inner, without)
        return found

    def name(self, path: Path) -> str:
        """Return a path as a message says it: from the root."""
        return path.relative_to(self.root).as_posix() if path != self.root else "."

    def notes(self, claimed: Iterable[Path]) -> list[str]:
        """Say what is not among the ``claimed`` files."""
        taken = set(claimed)
        left = [image for images in self.images.values() for image in images if image not in taken]
        others = [file for file in self.others if file not in taken]
        notes = []
        if left:
            where = Counter(self.name(image.parent) for image in left)
            listed = ", ".join(f"{count:,} in {folder}" for folder, count in where.most_common(NAMED))
            more = f", and in {len(where) - NAMED:,} more folders" if len(where) > NAMED else ""
            notes.append(f"{len(left):,} images belong to nothing and are left out: {listed}{more}")
        for what, files in (
            ("other files are", others),
            ("files of operating systems and notebooks are", self.litter),
        ):
            if files:
                listed = ", ".join(self.name(file) for file in files[:NAMED])
                notes.append(f"{len(files):,} {what} ignored: {listed}{', …' if len(files) > NAMED else ''}")
        return notes


def scan(root: Path) -> Tree:
    """Return all files below ``root``; links are followed."""
    tree = Tree(root)
    _scan(tree, root, frozenset())
    return tree


def is_litter(name: str) -> bool:
    """Say whether a name is of a file that no person made: ``.DS_Store``, ``._x.jpg``, ``Thumbs.db``."""
    return name.startswith(".") or name.lower() in LITTER


def _scan(tree: Tree, folder: Path, above: frozenset[tuple[int, int]]) -> None:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        tree.problems.append(f"{tree.name(folder)}: a link to a folder that contains it")
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if is_litter(entry.name):
            tree.litter.append(path)
        elif path.is_dir() if entry.is_symlink() else entry.is_dir():
            tree.folders.setdefault(folder, []).append(path)
            _scan(tree, path, above | {identity})
        elif not path.is_file():
            gone = (
                f"a link to {path.readlink()}, which is not there"
                if entry.is_symlink()
                else "not a regular file"
            )
            tree.problems.append(f"{tree.name(path)}: {gone}")
        elif path.suffix.lower() in SUFFIXES:
            tree.images.setdefault(folder, []).append(path)
        else:
            tree.others.append(path)
