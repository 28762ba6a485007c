"""Writing the official layout (`cocoad.dataset.official`)."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from cocoad.base.errors import InputError
from cocoad.base.files import clear_partials, json_bytes, write_atomic
from cocoad.base.images import without_size_warnings
from cocoad.base.locks import locked
from cocoad.base.staging import staged_directory
from cocoad.dataset.manifest import SplitManifest, TestSample, TrainSample, read_dataset, read_split
from cocoad.dataset.masks import read_sample_mask, write_mask_png_gray
from cocoad.dataset.official import CLASS, UNFINISHED, image_id, mask_folder, mask_name, meta_file


@without_size_warnings()
def export_official(dataset: Path, out: Path) -> list[Path]:
    """Write every split of a built dataset in the official layout and return the `meta_20_K.json` files.

    Paths in the files are relative to the COCO root, so that ``out`` is to be that root, or its files moved there.
    The masks lie in `val2017_mask_ad_20_K/`. All splits appear, the metas last, or none does; of
    an export that was killed midway a list is left, by which `verify` knows it and the next export clears it.

    Raises:
        InputError: a split is there already (it may be somebody's only copy), a mask is not as it was built, or
            an image is not named by its id, by which this layout's readers know it.
    """
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    busy = f"another export into {out} is running: wait for it, or give another --out"
    try:
        with locked(out / ".official-export.lock", busy=busy, remove=True):
            return _export(dataset, out)
    finally:
        if made:
            with contextlib.suppress(OSError):  # it holds what was exported
                out.rmdir()


def _export(dataset: Path, out: Path) -> list[Path]:
    unfinished = out / UNFINISHED
    _undo(unfinished, out)
    numbers = [int(key) for key in read_dataset(dataset).splits]
    places = {k: (out / meta_file(k), out / mask_folder(k)) for k in numbers}
    for path in (unfinished, *(meta for meta, _ in places.values())):
        clear_partials(path)
    for path in (path for pair in places.values() for path in pair):
        if path.exists():
            raise InputError(f"{path} is there already: give another --out, or delete it")
    splits = {number: read_split(dataset, number) for number in numbers}
    for split in splits.values():
        _check_names((*split.train, *split.test))
    write_atomic(unfinished, json_bytes([path.name for pair in places.values() for path in pair]))
    try:
        with contextlib.ExitStack() as stack:
            for number, (_, folder) in places.items():
                staging = stack.enter_context(staged_directory(folder))
                for sample in splits[number].test:
                    if sample.label:
                        write_mask_png_gray(staging / mask_name(sample.id), read_sample_mask(dataset, sample))
        for number, (meta, folder) in places.items():
            write_atomic(meta, json_bytes(_meta(splits[number], folder.name)))
    except BaseException:
        _undo(unfinished, out)
        raise
    unfinished.unlink()
    return [meta for meta, _ in places.values()]


def _undo(unfinished: Path, out: Path) -> None:
    """Delete what an export left that was killed; its list, written before all else, says what that may be."""
    if not unfinished.is_file():
        return
    known = {name(split) for name in (meta_file, mask_folder) for split in range(1000)}
    try:
        listed = msgspec.json.decode(unfinished.read_bytes(), type=list[str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InputError(f"{unfinished} is no list of an export: delete it") from None
    for name in listed:
        path = out / name
        if name not in known or path.is_symlink():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    unfinished.unlink()


def _check_names(samples: Iterable[TrainSample | TestSample]) -> None:
    for sample in samples:
        if image_id(sample.image) != sample.id:
            raise InputError(
                f"{sample.image} is not named by its id {sample.id}, as the official layout has it: "
                "give --layout folder"
            )


def _meta(split: SplitManifest, masks: str) -> dict[str, Any]:
    return {
        "train": {CLASS: [_entry(sample, "") for sample in split.train]},
        "test": {CLASS: [_entry(s, f"{masks}/{mask_name(s.id)}" if s.label else "") for s in split.test]},
    }


def _entry(sample: TrainSample | TestSample, mask: str) -> dict[str, Any]:
    return {
        "img_path": sample.image,
        "mask_path": mask,
        "cls_name": CLASS,
        "specie_name": "",
        "anomaly": sample.label if isinstance(sample, TestSample) else 0,
    }
