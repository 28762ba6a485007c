"""Where predictions are written: names inside one folder, unique, and never among what is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from cocoad.base.errors import InputError

JSON_FILE, CSV_FILE = "predictions.json", "predictions.csv"
MASKS_DIR = "masks"
MAP_SUFFIX, PICTURE_SUFFIX = ".npy", ".png"
LONGEST_NAME = 255  # bytes that file systems take


def output_names(files: Sequence[Path]) -> dict[Path, str]:
    """Return for each file the path, without suffix, of what is written for it: unique, inside the folder.

    Files keep their folders below the deepest folder that they share; equal names get ``-2``, ``-3`` … One that would
    lie where the masks go gets a folder ``masks-images``.
    """
    absolute = [Path(os.path.normpath(file.absolute())) for file in files]  # no .. left to climb out by
    shared = _shared_folder(absolute)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file, whole in zip(files, absolute, strict=True):
        parts = whole.relative_to(shared).with_suffix("").parts
        if parts[0] == MASKS_DIR:
            parts = (f"{MASKS_DIR}-images", *parts[1:])
        stem = PurePosixPath(*parts).as_posix()
        name, count = _fitting(stem), 1
        while name in taken:
            count += 1
            name = _fitting(stem, f"-{count}")
        taken.add(name)
        names[file] = name
    return names


def refuse_writing_among(files: Sequence[Path], out: Path, names: Iterable[str]) -> None:
    """Make sure that nothing is written over a file that is read, or into its folder.

    Raises:
        InputError: something would be.
    """
    given = {file.resolve() for file in files}
    folders = {file.parent for file in given}
    pairs = ((out / name, out / MASKS_DIR / name) for name in names)
    written = [
        *(out / name for name in (JSON_FILE, CSV_FILE)),
        *(
            Path(f"{path}{suffix}")
            for pair in pairs
            for path, suffix in (
                *((pair[0], s) for s in (MAP_SUFFIX, PICTURE_SUFFIX)),
                (pair[1], PICTURE_SUFFIX),
            )
        ),
    ]
    for path in written:
        if path.resolve() in given:
            raise InputError(f"{path} is to be read and would be overwritten: give another --out")
    for path in written:
        if path.resolve().parent in folders:
            raise InputError(f"{path.parent} holds images that are to be read: give another --out")


def _fitting(stem: str, ending: str = "") -> str:
    """Return ``stem`` and ``ending``, cut between them as far as a name with a suffix would be too long."""
    folder, slash, name = stem.rpartition("/")
    while len(os.fsencode(f"{name}{ending}{MAP_SUFFIX}")) > LONGEST_NAME:
        name = name[:-1]
    return f"{folder}{slash}{name}{ending}"


def _shared_folder(files: Sequence[Path]) -> Path:
    folder = files[0].parent
    while not all(file.is_relative_to(folder) for file in files):
        folder = folder.parent
    return folder
