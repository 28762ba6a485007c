"""How many images a dataset has, by class."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmark.datasets.samples import AnomalyDataset

COUNTS = ("train_normal", "test_normal", "test_anomalous")


def counts(dataset: AnomalyDataset) -> dict[str, Any]:
    """Return what a dataset is, and ``COUNTS`` for each of its classes and in total, ready for JSON."""
    found = Counter((sample.class_name, COUNTS[0]) for sample in dataset.train)
    found += Counter((sample.class_name, COUNTS[1 + sample.label]) for sample in dataset.test)
    classes = {name: {count: found[name, count] for count in COUNTS} for name in dataset.classes}
    return {
        "name": dataset.name,
        "layout": dataset.layout,
        "split": dataset.split,
        "hash": dataset.hash,
        "classes": classes,
        "total": {count: sum(row[count] for row in classes.values()) for count in COUNTS},
    }
