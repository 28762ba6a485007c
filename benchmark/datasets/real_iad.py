"""Real-IAD: a ``CLASS.json`` for each class, beside the folders of images or as in the original download."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.errors import InputError
from cocoad.base.files import inside

NORMAL = "OK"
JSON_FOLDERS = (".", "realiad_jsons", "realiad_jsons/realiad_jsons")


class _Entry(msgspec.Struct):
    image_path: str
    anomaly_class: str
    mask_path: str | None = None


class _Class(msgspec.Struct):
    train: list[_Entry]
    test: list[_Entry]


def is_real_iad(path: Path) -> bool:
    """Say whether ``path`` holds a folder of images and a JSON of the same name."""
    return bool(_class_files(path))


def read_real_iad(path: Path) -> AnomalyDataset:
    """Read all classes that have both images and a JSON; mask values > 0 are anomalous.

    Raises:
        InputError: a JSON is damaged, a path leaves its class, an anomalous image to train on, or what
            :func:`~benchmark.datasets.checks.checked` refuses.
    """
    train: list[Sample] = []
    test: list[Sample] = []
    problems = []
    for file in _class_files(path):
        try:
            found = msgspec.json.decode(file.read_bytes(), type=_Class)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{file}: not a class of Real-IAD ({error})") from None
        train += [_sample(path, file.stem, entry) for entry in found.train]
        test += [_sample(path, file.stem, entry) for entry in found.test]
        for part, entries in (("train", found.train), ("test", found.test)):
            if not entries:
                problems.append(f"class {file.stem}: no images to {part} on")
    problems += [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]
    return checked(path.resolve(), "real-iad", train, test, problems=problems)


def _class_files(path: Path) -> list[Path]:
    for folder in JSON_FOLDERS:
        files = [file for file in (path / folder).glob("*.json") if (path / file.stem).is_dir()]
        if files:
            return sorted(files)
    return []


def _sample(path: Path, name: str, entry: _Entry) -> Sample:
    root = path / name
    image = inside(root, entry.image_path)
    ident = f"{name}/{Path(entry.image_path).with_suffix('').as_posix()}"
    if entry.anomaly_class == NORMAL:
        return Sample(ident, image, name)
    mask = inside(root, entry.mask_path) if entry.mask_path else None
    return Sample(ident, image, name, 1, mask, (f"defect:{entry.anomaly_class}",), 0)
