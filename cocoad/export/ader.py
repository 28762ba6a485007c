"""The official layout, which ADer and the code derived from it read: `meta_20_K.json` and 8-bit masks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2

from cocoad.files import inside, json_bytes, write_atomic
from cocoad.manifest import SplitManifest, TestSample, TrainSample, read_dataset, read_split
from cocoad.masks import read_mask_png


def export_ader(dataset: Path, coco_root: Path, out: Path) -> list[Path]:
    """Write every split of a built dataset in the official layout and return the `meta_20_K.json` files.

    Paths in the files are relative to the COCO root, so that ``out`` is to be that root, or its files moved there.
    The masks lie in `val2017_mask_ad_20_K/`; the metas are written last.
    """
    metas = []
    for split in (read_split(dataset, int(key)) for key in read_dataset(dataset).splits):
        folder = out / f"val2017_mask_ad_20_{split.split}"
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for sample in split.test:
            if sample.mask is not None:
                mask = read_mask_png(inside(dataset, sample.mask))
                cv2.imwrite(str(folder / Path(sample.mask).name), mask.astype("uint8") * 255)
        meta = out / f"meta_20_{split.split}.json"
        write_atomic(meta, json_bytes(_meta(split, folder.name)))
        metas.append(meta)
    return metas


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
