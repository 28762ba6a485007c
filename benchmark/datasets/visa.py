"""VisA: the one-class split of ``split_csv/1cls.csv`` (object, split, label, image, mask)."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.datasets.tree import scan
from cocoad.base.errors import InputError
from cocoad.base.files import inside

SPLIT_FILE = "split_csv/1cls.csv"
COLUMNS = ("object", "split", "label", "image", "mask")
LABELS = {"normal": 0, "anomaly": 1}


def is_visa(path: Path) -> bool:
    """Say whether ``path`` holds VisA."""
    return (path / SPLIT_FILE).is_file()


def read_visa(path: Path) -> AnomalyDataset:
    """Read all classes; masks hold small label ids, of which those > 0 are anomalous.

    Raises:
        InputError: the CSV is absent or damaged, a path leaves the dataset, an anomalous image to train on, or
            what :func:`~benchmark.datasets.checks.checked` refuses.
    """
    path = path.resolve()
    file = path / SPLIT_FILE
    parts: dict[str, list[Sample]] = {"train": [], "test": []}
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            if missing := set(COLUMNS) - set(rows.fieldnames or ()):
                raise InputError(f"{file}: no column {', '.join(sorted(missing))}")
            for row in rows:
                parts[_part(file, rows.line_num, row)].append(_sample(path, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a readable CSV ({error})") from None
    names = list(dict.fromkeys(sample.class_name for part in parts.values() for sample in part))
    absent = [name for name in names if not (path / name).is_dir()]
    train, test = ([sample for sample in part if sample.class_name not in absent] for part in parts.values())
    problems = [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]
    notes = [f"{len(absent)} of {len(names)} classes are not there: {', '.join(absent)}"] if absent else []
    tree = scan(path)
    masks = {sample.mask for sample in test if sample.mask is not None}
    lists = {other for other in tree.others if other.parent == file.parent}
    notes += tree.notes({*lists, *(sample.image for sample in (*train, *test)), *masks})
    return checked(path, "visa", train, test, problems=[*tree.problems, *problems], notes=notes)


def _part(file: Path, line: int, row: dict[str, str | None]) -> str:
    """Return the part that a row belongs to; raise InputError unless the row is whole."""
    part = row["split"]
    whole = all(row[column] is not None for column in COLUMNS) and row["object"]
    if not whole or part not in ("train", "test") or row["label"] not in LABELS:
        raise InputError(f"{file}: line {line} is not CLASS,train|test,normal|anomaly,IMAGE,MASK")
    return str(part)


def _sample(path: Path, row: dict[str, str | None]) -> Sample:
    name, image, label = str(row["object"]), str(row["image"]), LABELS[str(row["label"])]
    mask = inside(path, row["mask"]) if label and row["mask"] else None
    ident = Path(image).with_suffix("").as_posix() if image else image
    return Sample(ident, inside(path, image), name, label, mask)
