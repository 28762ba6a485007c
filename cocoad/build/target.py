"""Where a dataset may be built: in an empty place, or over one that a build made and would make again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from cocoad.base.errors import InputError
from cocoad.dataset.manifest import DATASET_FILE

_OWN = re.compile(  # what a build writes
    r"dataset\.json|coco-root\.txt|split_\d{1,3}\.json|masks/split_\d{1,3}/\d{12}\.png"
)


class _Format(msgspec.Struct):
    """What every version of ``dataset.json`` says of itself."""

    format: Literal["cocoad-dataset"]


def check_target(
    target: Path, sources: Iterable[Path], splits: Sequence[int] | None, overwrite: bool
) -> None:
    """Refuse to write where something else lies, or to delete what would not be built again.

    Args:
        target: where a dataset is to be built, resolved.
        sources: what the build reads.
        splits: those that it makes; None: all.
        overwrite: whether a built dataset may be replaced.

    Raises:
        InputError: ``target`` is a file, holds a source, holds anything that no build wrote, or is built already.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target} is a file: give another --out")
    for path in (source.resolve() for source in sources):
        if path.is_relative_to(target):
            raise InputError(f"{target} holds {path}, which the build reads: give another --out")
    if not any(target.iterdir()):
        return
    if not _is_built(target):
        raise InputError(f"{target} is not empty and not a built dataset: give another --out, or delete it")
    if not overwrite:
        raise InputError(f"{target} is built already: --overwrite builds it again, --out DIR elsewhere")
    if foreign := _first_foreign(target):
        raise InputError(f"{foreign} is not the dataset's: move it elsewhere, or give another --out")
    there = sorted(int(path.stem.removeprefix("split_")) for path in target.glob("split_*.json"))
    lost = [] if splits is None else [str(split) for split in there if split not in splits]
    if lost:
        raise InputError(
            f"{target} has split {', '.join(lost)} too, which would be gone: "
            "build all its splits again, or give another --out"
        )


def _is_built(directory: Path) -> bool:
    """Say whether ``dataset.json`` is there and says that it is one, of whichever version."""
    path = directory / DATASET_FILE
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return path.is_file() and bool(msgspec.json.decode(path.read_bytes(), type=_Format))
    return False


def _first_foreign(directory: Path) -> Path | None:
    """Return a file in a built dataset that no build wrote."""
    for path in sorted(directory.rglob("*")):
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and not _OWN.fullmatch(path.relative_to(directory).as_posix()):
            return path
    return None
