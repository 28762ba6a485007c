"""A directory that appears whole or not at all, and whose leftovers the next call clears."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from cocoad.base.errors import InputError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_PATIENCE_S = 1.0


@contextlib.contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory beside ``target`` that takes its place when the block ends well.

    A target that exists is swapped in one step where the file system can, then deleted. What a killed process
    left behind is recognised by its lock, which dies with the process, and removed.

    Raises:
        InputError: another process is making the same target right now, or it holds the current directory.
    """
    target = target.resolve()
    if Path.cwd().is_relative_to(target):  # a shell would stay behind in the directory that was replaced
        raise InputError(
            f"{target} is the current directory, or holds it: give another one, or run this from outside of it"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name}.building")
    replaced = target.with_name(f".{target.name}.replaced")
    with _lock(target.with_name(f".{target.name}.lock"), target):
        if replaced.exists() and not target.exists():
            replaced.rename(target)  # killed between the two renames of `_swap`
        _remove(staging, replaced)
        try:
            staging.mkdir()
            yield staging
            _sync(staging)
            _publish(staging, target, replaced)
        finally:
            _remove(staging, replaced)


@contextlib.contextmanager
def _lock(path: Path, target: Path) -> Iterator[None]:
    """Hold an advisory lock; its file is gone afterwards."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() < deadline:  # helpers of a killed build hold it a moment longer
                time.sleep(0.05)
                continue
            raise InputError(
                f"another build of {target} is running: wait for it, or give another --out"
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                break
        os.close(handle)  # its last holder has just removed the file that we locked
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _publish(staging: Path, target: Path, replaced: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        staging.rename(target)
    elif not _exchange(staging, target):
        target.rename(replaced)
        staging.rename(target)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two directories atomically (renameat2); False where the system or the file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    paths = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    return bool(renameat2(*paths, _RENAME_EXCHANGE) == 0)


def _sync(directory: Path) -> None:
    """Bring the whole file system to disk: one call, where one for each mask would take minutes."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        if syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))
    finally:
        os.close(handle)


def _remove(*directories: Path) -> None:
    for directory in directories:
        if directory.exists():
            shutil.rmtree(directory)
