"""One process at a time writes to a run's directory, and whoever wants to know can tell whether one does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cocoad.base.locks import is_locked, locked

LOCK_FILE = ".lock"


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold a run's directory, made where it is missing. The lock dies with its process, however that ends.

    Raises:
        InputError: another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    busy = f"{directory} is being written by another process: wait for it, or give another --out"
    with locked(directory / LOCK_FILE, busy=busy):
        yield


def is_held(directory: Path) -> bool:
    """Say whether a process holds a run's directory."""
    return is_locked(directory / LOCK_FILE)
