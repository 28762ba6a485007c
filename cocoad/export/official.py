"""Writing the official layout (`cocoad.dataset.official`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes, write_atomic
from cocoad.base.images import without_size_warnings
from cocoad.base.staging import staged_directory
from cocoad.dataset.manifest import SplitManifest, TestSample, TrainSample, read_dataset, read_split
from cocoad.dataset.masks import read_sample_mask, write_mask_png_gray
from cocoad.dataset.official import CLASS, UNFINISHED, image_id, mask_folder, mask_name, meta_file
from cocoad.export.together import appearing_together


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
    splits = {int(key): read_split(dataset, int(key)) for key in read_dataset(dataset).splits}
    for split in splits.values():
        _check_names((*split.train, *split.test))
    with appearing_together(out, splits, lambda k: (meta_file(k), mask_folder(k)), UNFINISHED):
        with contextlib.ExitStack() as stack:
            for number, split in splits.items():
                staging = stack.enter_context(staged_directory(out / mask_folder(number)))
                for sample in split.test:
                    if sample.label:
                        write_mask_png_gray(staging / mask_name(sample.id), read_sample_mask(dataset, sample))
        for number, split in splits.items():
            write_atomic(out / meta_file(number), json_bytes(_meta(split, mask_folder(number))))
    return [out / meta_file(number) for number in splits]


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
