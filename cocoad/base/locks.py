"""Files that one process at a time may hold: for a directory that is being made, a run's folder, a pixel cache.

``with locked(FILE, busy=MESSAGE): ...`` holds FILE, made where it is missing, or raises InputError(MESSAGE) while
another holds it; ``patience_s`` waits so long first, ``waiting`` is said on stderr when that takes more than a
second, ``remove`` deletes the file afterwards. ``is_locked(FILE)`` asks.

A lock dies with its process, however that ends, and no helper process inherits it (it is a record lock of POSIX, not
one of ``flock``): what a killed command leaves running holds nothing. A file system that has no locks stops nobody:
that is said, once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cocoad.base.errors import InputError

FOREVER = float("inf")
_TAKEN = (errno.EACCES, errno.EAGAIN)
_STEP_S, _SAID_AFTER_S = 0.05, 1.0
_own: set[tuple[int, int]] = (
    set()
)  # files (device, inode) that this process holds: its own locks do not stop it
_own_changes = threading.Lock()
_lockless: set[int] = set()  # devices without locks, of which the user was told


@contextlib.contextmanager
def locked(
    path: Path, *, busy: str, patience_s: float = 0.0, waiting: str | None = None, remove: bool = False
) -> Iterator[None]:
    """Hold ``path`` while the block runs.

    Args:
        busy: what to say when another holds it, in one line.
        patience_s: seconds to wait for it; `FOREVER` wants ``waiting``.
        waiting: said on stderr after a second of waiting.
        remove: delete the file at the end.

    Raises:
        InputError: another process, or another part of this one, holds it.
    """
    started, said = time.monotonic(), False
    while (handle := _take(path)) is None:
        waited = time.monotonic() - started
        if waited >= patience_s:
            raise InputError(busy)
        if waiting and not said and waited >= _SAID_AFTER_S:
            print(waiting, file=sys.stderr, flush=True)
            said = True
        time.sleep(_STEP_S)
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        _release(handle)


def is_locked(path: Path) -> bool:
    """Say whether a process holds ``path``; where there is no such file, or no locks, nobody does."""
    with _own_changes:
        if _is_own(path):
            return True
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(handle, path)
        finally:
            os.close(handle)


def _take(path: Path) -> int | None:
    """Lock the file that lies at ``path``; return its handle, or None while another holds it."""
    with _own_changes:
        if _is_own(path):
            return None
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if _lock(handle, path):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    _own.add(_identity(os.fstat(handle)))
                    return handle
        os.close(handle)  # taken, or its last holder has just removed the file that we locked
    return None


def _release(handle: int) -> None:
    with _own_changes:
        _own.discard(_identity(os.fstat(handle)))
        os.close(handle)


def _lock(handle: int, path: Path) -> bool:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        device = os.fstat(handle).st_dev
        if device not in _lockless:
            _lockless.add(device)
            print(
                f"note: {path.parent}: no locks there ({error.strerror}): see that one command at a time writes to it",
                file=sys.stderr,
            )
    return True


def _is_own(path: Path) -> bool:
    """Say whether this process holds ``path``: to open and close it would end that hold."""
    try:
        return _identity(path.stat()) in _own
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
