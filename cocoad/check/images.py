"""Image files, looked at: header, end, if asked every pixel, and which of them are the same file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_file
from cocoad.base.images import MissingImageError, open_image
from cocoad.base.processes import each_of

Key = TypeVar("Key", bound=Hashable)
Advance = Callable[[], None]  # called once per image
Problem = tuple[str, str]  # code, what there is to say
_TAIL = 4096  # bytes at the end in which an end marker must stand
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # of JPEG's pixels no byte pair is this marker


def look(path: Path, size: tuple[int, int] | None, decode: bool = False) -> Problem | None:
    """Say what is wrong with an image file, if anything is.

    Args:
        size: its (width, height) as recorded; None: not known.
        decode: make its pixels as well.

    Returns:
        a code (``image-missing``, ``image-unreadable``, ``sides-swapped``, ``image-size``, ``image-cut-off``,
        ``image-damaged``) and a detail.
    """
    try:
        with open_image(path) as image:
            found, kind = image.size, image.format or ""
            ending = _ending(path, kind)
    except MissingImageError:
        return "image-missing", str(path)
    except InputError as error:
        return "image-unreadable", str(error)
    if size is not None and found != size:
        code = "sides-swapped" if found == (size[1], size[0]) else "image-size"
        return code, f"{path.name}: {found[0]}×{found[1]}, recorded {size[0]}×{size[1]}"
    if ending is not None:
        return "image-cut-off", f"{path}: {ending}"
    if decode:
        try:
            with open_image(path) as image:
                image.load()
        except InputError as error:
            return "image-damaged", str(error)
    return None


def _ending(path: Path, kind: str) -> str | None:
    marker = _ENDS.get(kind)
    if marker is None:
        return None
    with path.open("rb") as stream:
        length = stream.seek(0, 2)
        stream.seek(max(0, length - _TAIL))
        tail = stream.read()
    if marker in tail:
        return None
    return "it ends in zeros" if not any(tail[-64:]) else f"its end is missing (no {kind} end marker)"


def look_at_all(
    images: Sequence[tuple[Path, tuple[int, int] | None]], decode: bool, advance: Advance
) -> Iterator[Problem | None]:
    """Do `look` with many (path, size) at once, in order."""
    return each_of(images, lambda image: look(*image, decode), advance)


def same_files(files: Iterable[tuple[Key, Path]]) -> list[list[Key]]:
    """Return the keys of files that are equal to the byte, each group in the order given.

    Only files of one size are read: first their ends, which of compressed images are never alike by chance.
    """
    by_size: dict[int, list[tuple[Key, Path]]] = defaultdict(list)
    for key, path in files:
        try:
            length = path.stat().st_size
        except OSError:
            continue
        if length:
            by_size[length].append((key, path))
    alike = [group for group in by_size.values() if len(group) > 1]
    for digest in (_end_digest, sha256_file):
        alike = [part for group in alike for part in _parted(group, digest)]
    return [[key for key, _ in group] for group in alike]


def _parted(group: list[tuple[Key, Path]], digest: Callable[[Path], str]) -> Iterator[list[tuple[Key, Path]]]:
    by_digest: dict[str, list[tuple[Key, Path]]] = defaultdict(list)
    paths = list(dict.fromkeys(path for _, path in group))  # one file may have several keys
    digests = {path: digest(path) for path in paths} if len(paths) > 1 else {paths[0]: ""}
    for key, path in group:
        by_digest[digests[path]].append((key, path))
    yield from (part for part in by_digest.values() if len(part) > 1)


def _end_digest(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - _TAIL))
        return hashlib.blake2b(stream.read()).hexdigest()
