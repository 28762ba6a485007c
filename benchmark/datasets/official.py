"""Lists of images in JSON: COCO-AD's official layout, and the ``meta.json`` that code derived from ADer reads.

Both are ``{train: {CLASS: [ENTRY …]}, test: {…}}``, an entry ``{img_path, mask_path, cls_name, specie_name, anomaly}``
with paths from the root. COCO-AD has ``meta_20_K.json`` and ``val2017_mask_ad_20_K/`` in the COCO root.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.tree import scan
from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.dataset.images import official_root
from cocoad.dataset.official import LAYOUT, meta_file, splits_in

META = "meta.json"


class _Entry(msgspec.Struct):
    img_path: str
    anomaly: int
    mask_path: str | None = None
    specie_name: str | None = None


class _Meta(msgspec.Struct):
    train: dict[str, list[_Entry]]
    test: dict[str, list[_Entry]]


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
    if not file.is_file():
        there = ", ".join(map(meta_file, splits_in(path)))
        raise InputError(f"{path} has no split {split}: there is {there or 'no meta_20_K.json'}")
    meta = _read(file, "a split in the official layout")
    root = official_root(path, coco_root)
    train, test = (list(_samples(path, root, part, "")) for part in (meta.train, meta.test))
    return checked(
        path,
        LAYOUT,
        train,
        test,
        name="coco-ad",
        split=split,
        problems=_anomalous(train),
        named_images=True,
    )


def is_meta(path: Path) -> bool:
    """Say whether ``path`` holds such a list of any dataset."""
    return (path / META).is_file()


def read_meta(path: Path) -> AnomalyDataset:
    """Read all classes of ``meta.json``; an entry's ``specie_name`` is its defect.

    Raises:
        InputError: the list is damaged, or as :func:`read_official`.
    """
    path = path.resolve()
    meta = _read(path / META, "a list of images")
    train, test = (list(_samples(path, path, part, "defect:")) for part in (meta.train, meta.test))
    tree = scan(path)
    masks = {sample.mask for sample in test if sample.mask is not None}
    notes = tree.notes({path / META, *(sample.image for sample in (*train, *test)), *masks})
    return checked(path, "meta", train, test, problems=[*tree.problems, *_anomalous(train)], notes=notes)


def _read(file: Path, what: str) -> _Meta:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Meta)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file}: not {what} ({error})") from None


def _anomalous(train: list[Sample]) -> list[str]:
    return [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]


def _samples(path: Path, root: Path, part: dict[str, list[_Entry]], group: str) -> Iterator[Sample]:
    for name, entries in part.items():
        for entry in entries:
            image = inside(root, entry.img_path)
            ident = Path(entry.img_path).with_suffix("").as_posix()
            if entry.anomaly not in (0, 1):
                raise InputError(f"{path}: {ident} has anomaly {entry.anomaly}, not 0 or 1")
            mask = inside(path, entry.mask_path) if entry.mask_path and entry.anomaly else None
            groups = (f"{group}{entry.specie_name}",) if group and entry.specie_name and entry.anomaly else ()
            yield Sample(ident, image, name, entry.anomaly, mask, groups)
