"""The official layout, which ADer and the code derived from it read: `meta_20_K.json` and 8-bit masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cocoad.errors import InputError
from cocoad.files import inside, json_bytes, write_atomic
from cocoad.manifest import SplitManifest, TestSample, TrainSample, read_dataset, read_split
from cocoad.masks import read_mask_png, write_mask_png_gray
from cocoad.staging import staged_directory


def export_ader(dataset: Path, coco_root: Path, out: Path) -> list[Path]:
    """Write every split of a built dataset in the official layout and return the `meta_20_K.json` files.

    Paths in the files are relative to the COCO root, so that ``out`` is to be that root, or its files moved there.
    The masks lie in `val2017_mask_ad_20_K/`; a split's meta is written last.

    Raises:
        InputError: a split is there already; it may be somebody's only copy.
    """
    numbers = [int(key) for key in read_dataset(dataset).splits]
    places = {k: (out / f"meta_20_{k}.json", out / f"val2017_mask_ad_20_{k}") for k in numbers}
    for path in (path for pair in places.values() for path in pair):
        if path.exists():
            raise InputError(f"{path} is there already: give another --out, or delete it")
    for number, (meta, folder) in places.items():
        split = read_split(dataset, number)
        with staged_directory(folder) as staging:
            for sample in split.test:
                if sample.mask is not None:
                    mask = read_mask_png(inside(dataset, sample.mask))
                    write_mask_png_gray(staging / Path(sample.mask).name, mask)
        write_atomic(meta, json_bytes(_meta(split, folder.name)))
    return [meta for meta, _ in places.values()]


def _meta(split: SplitManifest, masks: str) -> dict[str, Any]:
    return {
        "train": {"coco": [_entry(sample, "") for sample in split.train]},
        "test": {"coco": [_entry(s, f"{masks}/{Path(s.mask).name}" if s.mask else "") for s in split.test]},
    }


def _entry(sample: TrainSample | TestSample, mask: str) -> dict[str, Any]:
    return {
        "img_path": sample.image,
        "mask_path": mask,
        "cls_name": "coco",
        "specie_name": "",
        "anomaly": sample.label if isinstance(sample, TestSample) else 0,
    }
