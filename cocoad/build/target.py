"""Where a dataset may be built: in an empty place, or over one that a build made and would make again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from cocoad.base.errors import InputError
from cocoad.dataset.manifest import DATASET_FILE

_OWN = re.compile(  # what a build writes
    r"dataset\.json|coco-root\.txt|(?:masks/)?split_(\d{1,3})(?:\.json|/\d{12}\.png)"
)


class _Format(msgspec.Struct):
    """What every version of ``dataset.json`` says of itself."""

    format: Literal["cocoad-dataset"]
    splits: dict[str, msgspec.Raw] = {}


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
    built = _read_format(target)
    if built is None:
        raise InputError(f"{target} is not empty and not a built dataset: give another --out, or delete it")
    if not overwrite:
        raise InputError(f"{target} is built already: --overwrite builds it again, --out DIR elsewhere")
    if foreign := _first_foreign(target, built.splits):
        raise InputError(f"{foreign} is not the dataset's: move it elsewhere, or give another --out")
    there = sorted(int(path.stem.removeprefix("split_")) for path in target.glob("split_*.json"))
    lost = [] if splits is None else [str(split) for split in there if split not in splits]
    if lost:
        raise InputError(
            f"{target} has split {', '.join(lost)} too, which would be gone: "
            "build all its splits again, or give another --out"
        )


def _read_format(directory: Path) -> _Format | None:
    """Return what ``dataset.json`` says, of whichever version; None where it is not there or says nothing of it."""
    path = directory / DATASET_FILE
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if path.is_file():
            return msgspec.json.decode(path.read_bytes(), type=_Format)
    return None


def _first_foreign(directory: Path, splits: Mapping[str, object]) -> Path | None:
    """Return a file in a built dataset of these splits (where they are known) that no build wrote."""
    for path in sorted(directory.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = _OWN.fullmatch(path.relative_to(directory).as_posix())
        if name is None or (splits and name[1] is not None and name[1] not in splits):
            return path
    return None
