"""What is known of files by their content, read once: the hash of each, and the range of those of 16 bits.

What was read is remembered in the user's cache folder, by what a file system says of a file: its number, size and
the times of the last change of content and of status, of which the latter cannot be set back. A file that changed
less than two seconds before it was read is read again, since a clock may stand still that long.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.images import largest_deep_value
from benchmark.datasets.places import cache_home
from cocoad.base.errors import InputError
from cocoad.base.files import open_atomic, sha256_bytes, sha256_file

READERS = 8  # threads: hashing and waiting for a disk let others run
SETTLED_NS = 2_000_000_000
MAY_BE_DEEP = frozenset({".png", ".tif", ".tiff"})


class Fact(NamedTuple):
    """The hash of a file, and the largest number of a gray image of more than 8 bits (else 0)."""

    sha256: str
    largest: int


class FileFacts:
    """Facts of ``files``, those of a dataset at ``root``, each read unless it is remembered.

    Raises:
        InputError: a file that cannot be read.
    """

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        name = sha256_bytes(os.fsencode(root.resolve()))[:16]
        memory = cache_home() / "files" / f"{name}.tsv"
        known = _remembered(memory)
        wanted = {file: _key(file) for file in dict.fromkeys(files)}
        new = [file for file, key in wanted.items() if key not in known]
        started = time.time_ns()
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(new, pool.map(_read, new), strict=True))
        self._facts = {file: read.get(file) or known[key] for file, key in wanted.items()}
        settled = {key: self._facts[file] for file, key in wanted.items() if _is_settled(file, key, started)}
        if settled.keys() - known.keys():
            _remember(memory, settled)

    def sha256(self, file: Path) -> str:
        """Return a file's hash, hex."""
        return self._facts[file].sha256

    def largest(self, file: Path) -> int:
        """Return the largest number of a gray image of more than 8 bits, of any other 0."""
        return self._facts[file].largest


def _read(file: Path) -> Fact:
    try:
        digest = sha256_file(file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    return Fact(digest, largest_deep_value(file) if file.suffix.lower() in MAY_BE_DEEP else 0)


def _key(file: Path) -> str:
    try:
        found = file.stat()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    return f"{found.st_dev}.{found.st_ino}.{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}"


def _is_settled(file: Path, key: str, now: int) -> bool:
    changed = max(map(int, key.split(".")[-2:]))
    return changed + SETTLED_NS < now and _key(file) == key


def _remembered(memory: Path) -> dict[str, Fact]:
    found = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in memory.read_text("ascii").splitlines():
            parts = line.split("\t")
            if len(parts) == 3 and len(parts[1]) == 64 and parts[2].isdecimal():
                found[parts[0]] = Fact(parts[1], int(parts[2]))
    return found


def _remember(memory: Path, facts: dict[str, Fact]) -> None:
    lines = [f"{key}\t{fact.sha256}\t{fact.largest}\n" for key, fact in facts.items()]
    with (
        contextlib.suppress(OSError),
        open_atomic(memory) as temporary,
    ):  # without a memory it only takes longer
        temporary.write_text("".join(lines), "ascii")
