"""VisA: the one-class split of ``split_csv/1cls.csv`` (object, split, label, image, mask)."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmark.datasets.checks import checked
from benchmark.datasets.samples import AnomalyDataset, Sample
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
    train, test = parts["train"], parts["test"]
    problems = [f"{sample.id}: anomalous but in the training set" for sample in train if sample.label]
    return checked(path.resolve(), "visa", train, test, problems=problems)


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
    return Sample(ident, inside(path, image), name, label, mask, mask_threshold=0 if label else None)
