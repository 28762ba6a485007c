"""COCO-AD in the official layout: ``meta_20_K.json`` and ``val2017_mask_ad_20_K/`` in the COCO root."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.dataset.official import CLASS, LAYOUT, meta_file, splits_in


class _Entry(msgspec.Struct):
    img_path: str
    anomaly: int
    mask_path: str | None = None


class _Part(msgspec.Struct):
    coco: list[_Entry]


class _Meta(msgspec.Struct):
    train: _Part
    test: _Part


def is_official(path: Path) -> bool:
    """Say whether ``path`` holds a split in the official layout."""
    return bool(official_splits(path))


def official_splits(path: Path) -> list[int]:
    """Return the numbers of the splits that ``path`` holds."""
    return splits_in(path)


def read_official(path: Path, split: int, coco_root: Path | None) -> AnomalyDataset:
    """Read a split; images are looked for below ``coco_root``, or beside the masks.

    Raises:
        InputError: the split is absent or damaged, a path leaves its root, an anomalous image to train on, or
            what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    file = path / meta_file(split)
    try:
        meta = msgspec.json.decode(file.read_bytes(), type=_Meta)
    except FileNotFoundError:
        there = ", ".join(map(meta_file, splits_in(path)))
        raise InputError(f"{path} has no split {split}: there is {there or 'no meta_20_K.json'}") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file}: not a split in the official layout ({error})") from None
    root = coco_root or path
    train = [_sample(path, root, entry) for entry in meta.train.coco]
    test = [_sample(path, root, entry) for entry in meta.test.coco]
    problems = [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]
    return checked(path, LAYOUT, train, test, name="coco-ad", split=split, problems=problems)


def _sample(path: Path, root: Path, entry: _Entry) -> Sample:
    image = inside(root, entry.img_path)
    ident = Path(entry.img_path).with_suffix("").as_posix()
    if entry.anomaly not in (0, 1):
        raise InputError(f"{path}: {ident} has anomaly {entry.anomaly}, not 0 or 1")
    mask = inside(path, entry.mask_path) if entry.mask_path and entry.anomaly else None
    return Sample(ident, image, CLASS, entry.anomaly, mask)
