"""What an export makes appears together, or not at all, though a file system renames one thing at a time."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from cocoad.base.errors import InputError
from cocoad.base.files import clear_partials, json_bytes, write_atomic
from cocoad.base.locks import locked

MOST_SPLITS = 1000  # of any dataset
Named = Callable[[int], tuple[str, ...]]  # what an export makes of a split, by the names


@contextlib.contextmanager
def appearing_together(out: Path, splits: Iterable[int], named: Named, unfinished: str) -> Iterator[None]:
    """Let what the block makes in ``out`` stay if it ends well, and delete it otherwise.

    Of a block that was killed the file ``unfinished`` stays, a list written before all else; by it the next one
    deletes what there is.

    Raises:
        InputError: something of that name is there already (it may be somebody's only copy), or another process
            exports into ``out`` right now.
    """
    made, listed = not out.exists(), out / unfinished
    names = [name for split in splits for name in named(split)]
    out.mkdir(parents=True, exist_ok=True)
    busy = f"another export into {out} is running: wait for it, or give another --out"
    try:
        with locked(listed.with_suffix(".lock"), busy=busy, remove=True):
            _undo(listed, named)
            clear_partials(listed)
            for path in (out / name for name in names):
                if path.exists():
                    raise InputError(f"{path} is there already: give another --out, or delete it")
                clear_partials(path)
            write_atomic(listed, json_bytes(names))
            try:
                yield
            except BaseException:
                _undo(listed, named)
                raise
            listed.unlink()
    finally:
        if made:
            with contextlib.suppress(OSError):  # it holds what was exported
                out.rmdir()


def _undo(listed: Path, named: Named) -> None:
    """Delete what a list names, so far as exports make it, and the list."""
    if not listed.is_file():
        return
    known = {name for split in range(MOST_SPLITS) for name in named(split)}
    try:
        names = msgspec.json.decode(listed.read_bytes(), type=list[str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InputError(f"{listed} is no list of an export: delete it") from None
    for path in (listed.parent / name for name in names if name in known):
        if path.is_symlink():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    listed.unlink()
