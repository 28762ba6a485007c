"""A directory that appears whole or not at all, and whose leftovers the next call clears."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cocoad.base.errors import InputError
from cocoad.base.files import naming
from cocoad.base.locks import locked


@contextlib.contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory beside ``target`` that takes its place when the block ends well.

    A target that exists is renamed, then deleted; the next call puts it back if a process was killed between the
    two renames. What a killed process left behind is recognised by its lock, which dies with the process.

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
    busy = f"another build of {target} is running: wait for it, or give another --out"
    with locked(target.with_name(f".{target.name}.lock"), busy=busy, remove=True):
        if replaced.exists() and not target.exists():
            replaced.rename(target)  # killed between the two renames of `_publish`
        _remove(staging, replaced)
        try:
            with naming(target):
                staging.mkdir()
                yield staging
                _publish(staging, target, replaced)
        finally:
            _remove(staging, replaced)


def _publish(staging: Path, target: Path, replaced: Path) -> None:
    os.sync()  # one call, where one for each of many files would take minutes
    if target.exists() and any(target.iterdir()):
        target.rename(replaced)
    staging.rename(target)


def _remove(*directories: Path) -> None:
    for directory in directories:
        if directory.exists():
            shutil.rmtree(directory)
