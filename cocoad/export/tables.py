"""A built dataset as Parquet tables, one for each part of a split: what the hub and Croissant layouts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_file
from cocoad.dataset.manifest import SplitManifest, TestSample, TrainSample, read_dataset, read_split
from cocoad.dataset.masks import encode_mask_png, read_sample_mask

COLUMNS = {
    "id": "the image's number in COCO",
    "image": "the image's path below a COCO root; the images themselves are COCO's",
    "width": "pixels",
    "height": "pixels",
    "label": "0 normal, 1 anomalous: the image shows an object of a held-out category",
    "categories": "the held-out categories that it shows",
    "mask": "anomalous images' anomalous pixels: a PNG of one bit per pixel, of the image's size",
}


class Table(NamedTuple):
    """A written Parquet file: its path below the export, and of which part of which split."""

    path: str
    split: int
    part: str  # "train" or "test"
    rows: int
    sha256: str
    bytes: int


def write_tables(dataset: Path, out: Path) -> list[Table]:
    """Write ``data/split_K/{train,test}.parquet`` below ``out``; no image is opened.

    Raises:
        InputError: pyarrow is not installed, or a mask is not as it was built.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise InputError(
            "this layout needs an extra: pip install '.[hub]' in a clone of the repository"
        ) from None
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("image", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("label", pa.int8()),
            ("categories", pa.list_(pa.string())),
            ("mask", pa.binary()),
        ]
    )
    found = []
    for number in map(int, read_dataset(dataset).splits):
        split = read_split(dataset, number)
        parts: Mapping[str, Sequence[TrainSample | TestSample]] = {"train": split.train, "test": split.test}
        for part, samples in parts.items():
            path = out / "data" / f"split_{number}" / f"{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [_row(dataset, split, sample) for sample in samples]
            pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")
            name = path.relative_to(out).as_posix()
            found.append(Table(name, number, part, len(rows), sha256_file(path), path.stat().st_size))
    return found


def _row(dataset: Path, split: SplitManifest, sample: TrainSample | TestSample) -> dict[str, Any]:
    names = {category.id: category.name for category in split.held_out}
    anomalous = isinstance(sample, TestSample) and sample.label == 1
    return {
        "id": sample.id,
        "image": sample.image,
        "width": sample.width,
        "height": sample.height,
        "label": int(anomalous),
        "categories": [names[each] for each in sample.categories] if isinstance(sample, TestSample) else [],
        "mask": encode_mask_png(read_sample_mask(dataset, sample))
        if isinstance(sample, TestSample) and anomalous
        else None,
    }
