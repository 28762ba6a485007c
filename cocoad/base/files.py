"""Writing to disk so that nothing half-written ever looks whole, and hashing what lies there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cocoad.base.errors import InputError

_DRAWN = "[0-9a-f]{16}"  # of a temporary file's name
NAME_KEPT = 20  # characters of a name, and of its suffix, that a temporary file's name has too


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` by temporary file, fsync and rename: readers see the old file or the new."""
    with open_atomic(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well it is fsynced and renamed to ``path``.

    Its name is a dot, the first letters of that of ``path``, and so on to the same suffix; the umask says who
    may read it.

    Raises:
        InputError: ``path`` is empty, or a directory.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory: give the path of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    begin, suffix = _kept_of_name(path)
    temporary = path.with_name(f".{begin}.{secrets.token_hex(8)}.partial{suffix}")
    temporary.touch(exist_ok=False)
    mode = temporary.stat().st_mode
    try:
        with naming(path):
            yield temporary
            _fsync(temporary)
            temporary.chmod(mode)  # safetensors puts a file of its own there, which nobody else may read
            temporary.replace(path)
            _fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def is_partial(path: Path) -> bool:
    """Say whether a file is one that a killed :func:`open_atomic` left, or one that is being written."""
    return re.match(rf"\..*\.{_DRAWN}\.partial(\.|$)", path.name) is not None


def clear_partials(path: Path) -> None:
    """Delete what killed writers of ``path`` left beside it; the caller knows that nobody writes it now."""
    begin, suffix = map(re.escape, _kept_of_name(path))
    for left in path.parent.glob(".*.partial*"):
        if re.fullmatch(rf"\.{begin}\.{_DRAWN}\.partial{suffix}", left.name):
            left.unlink(missing_ok=True)


def _kept_of_name(path: Path) -> tuple[str, str]:
    """Return the first letters of a file's name and of its suffix, so that no temporary name is too long."""
    return path.stem[:NAME_KEPT], path.suffix[:NAME_KEPT]


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a failure of the system in the block that names no file, as one of a write does not, name ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL or not path.is_dir():  # CIFS and some FUSE refuse it of a directory
            raise
    finally:
        os.close(handle)


def json_bytes(value: Any) -> bytes:
    """Render ``value`` as the JSON that cocoad writes: UTF-8, two-space indent, keys as given, no NaN.

    Bytes of a path that are not UTF-8 become JSON's own escapes, which Python's decoder turns back.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits, reading 1 MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_all(
    files: Sequence[tuple[str, Path]], advance: Callable[[int, int], object] = lambda done, total: None
) -> Iterator[tuple[str, str]]:
    """Yield the key and SHA-256 of each (key, file), in order, read by several threads.

    Args:
        advance: is told how many are done, of how many.
    """
    with ThreadPoolExecutor() as pool:
        digests = pool.map(sha256_file, (path for _, path in files))
        for done, ((key, _), digest) in enumerate(zip(files, digests, strict=True), 1):
            advance(done, len(files))
            yield key, digest


def is_file(path: Path) -> bool:
    """Say whether there is such a file; no name from a stranger's list is too long for that question."""
    try:
        return path.is_file()
    except OSError:
        return False


def inside(root: Path, relative: str) -> Path:
    """Join an untrusted relative path to ``root``; raise InputError when it would leave it."""
    leaves = relative.startswith("/") or ".." in relative.split("/")
    if not relative or leaves or "\\" in relative or "\0" in relative:
        raise InputError(f"unsafe path {relative!r}: it must be relative and must not leave {root}")
    return root / relative
