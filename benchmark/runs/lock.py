"""One process at a time writes to a run's directory, and whoever wants to know can tell whether one does."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from cocoad.base.errors import InputError

LOCK_FILE = ".lock"
TAKEN = (errno.EACCES, errno.EAGAIN)


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold a run's directory, made where it is missing. The lock dies with its process, however that ends.

    Raises:
        InputError: another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _locked(handle):
            raise InputError(
                f"{directory} is being written by another process: wait for it, or give another --out"
            )
        yield
    finally:
        os.close(handle)


def is_held(directory: Path) -> bool:
    """Say whether another process holds a run's directory (asked by the holder itself it would end its hold)."""
    try:
        handle = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Lock a file, by a record lock: unlike ``flock``'s it is not inherited by a process's own helpers."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in TAKEN  # a file system without locks stops nobody
    return True
