"""Real-IAD: a ``CLASS.json`` for each class, beside the folders of images or as the download unpacks.

The download has ``realiad_256/CLASS/…`` (or 512, 1024) beside ``realiad_jsons/``, which holds the lists of all views
in ``realiad_jsons/`` and those of one view in ``realiad_jsons_sv/``. Real-IAD Variety has ``realiadvariety_raw/CLASS``,
often twice (``CLASS/CLASS``), beside ``realiadvariety_jsons/Real-IAD_Variety_jsons/``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.tree import scan
from cocoad.base.errors import InputError
from cocoad.base.files import inside

NORMAL = "OK"
ALL_VIEWS = (
    ".",
    "realiad_jsons",
    "realiad_jsons/realiad_jsons",
    "realiadvariety_jsons",
    "realiadvariety_jsons/Real-IAD_Variety_jsons",
    "Real-IAD_Variety_jsons",
)
ONE_VIEW = ("realiad_jsons_sv", "realiad_jsons/realiad_jsons_sv")


class _Entry(msgspec.Struct):
    image_path: str
    anomaly_class: str
    mask_path: str | None = None


class _Class(msgspec.Struct):
    train: list[_Entry]
    test: list[_Entry]


def is_real_iad(path: Path) -> bool:
    """Say whether ``path`` holds folders of images and, there or beside it, JSONs of the same names."""
    return bool(_class_files(path, ALL_VIEWS))


def is_real_iad_of_one_view(path: Path) -> bool:
    """Say the same of the lists of one view."""
    return bool(_class_files(path, ONE_VIEW))


def read_real_iad(path: Path) -> AnomalyDataset:
    """Read all classes that have both images and a JSON; images of one folder show one item from several sides.

    Raises:
        InputError: a JSON is damaged, a path leaves its class, an anomalous image to train on, several resolutions
            in one folder, or what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    return _read(path.resolve(), "real-iad", ALL_VIEWS)


def read_real_iad_of_one_view(path: Path) -> AnomalyDataset:
    """Read the lists of one view, and raise as :func:`read_real_iad`."""
    return _read(path.resolve(), "real-iad-sv", ONE_VIEW)


def _read(path: Path, layout: str, folders: tuple[str, ...]) -> AnomalyDataset:
    train: list[Sample] = []
    test: list[Sample] = []
    problems = []
    files = _class_files(path, folders)
    roots = [root for file in files for root in _image_folders(path, file.stem)]
    if len(roots) > len(files):
        names = sorted({root.parent.name for root in roots})
        raise InputError(
            f"{path} holds several resolutions: give {' or '.join(str(path / name) for name in names)}"
        )
    for file, root in zip(files, roots, strict=True):
        try:
            found = msgspec.json.decode(file.read_bytes(), type=_Class)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{file}: not a class of Real-IAD ({error})") from None
        train += [_sample(root, entry) for entry in found.train]
        test += [_sample(root, entry) for entry in found.test]
        for part, entries in (("train", found.train), ("test", found.test)):
            if not entries:
                problems.append(f"class {file.stem}: no images to {part} on")
    problems += [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]
    tree = scan(path)
    masks = {sample.mask for sample in test if sample.mask is not None}
    lists = {file for file in tree.others if file.suffix == ".json"}
    notes = tree.notes({*(sample.image for sample in (*train, *test)), *masks, *lists})
    if files and (
        missing := sorted({file.stem for file in files[0].parent.glob("*.json")} - {f.stem for f in files})
    ):
        notes.append(f"{len(missing):,} classes have a list and no images: {', '.join(missing)}")
    return checked(path, layout, train, test, problems=[*tree.problems, *problems], notes=notes)


def _class_files(path: Path, folders: tuple[str, ...]) -> list[Path]:
    """Return the JSONs of classes that have images, of the first place in ``path`` or beside it that has any."""
    beside = [path.resolve().parent / folder for folder in folders if folder != "."]
    for folder in [*(path / folder for folder in folders), *beside]:
        if files := [file for file in folder.glob("*.json") if _image_folders(path, file.stem)]:
            return sorted(files)
    return []


def _image_folders(path: Path, name: str) -> list[Path]:
    """Return the folders of a class's images: one, or one of each resolution."""
    folders = [path] if (path / name).is_dir() else sorted(path.glob("realiad*"))
    found = [each / name for each in folders if (each / name).is_dir()]
    return [each / name if (each / name).is_dir() else each for each in found]


def _sample(root: Path, entry: _Entry) -> Sample:
    name = root.name
    image = inside(root, entry.image_path)
    ident = f"{name}/{Path(entry.image_path).with_suffix('').as_posix()}"
    item = f"{name}/{Path(entry.image_path).parent.as_posix()}"
    if entry.anomaly_class == NORMAL:
        return Sample(ident, image, name, item=item)
    mask = inside(root, entry.mask_path) if entry.mask_path else None
    return Sample(ident, image, name, 1, mask, (f"defect:{entry.anomaly_class}",), item=item)
