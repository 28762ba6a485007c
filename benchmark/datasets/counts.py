"""How many images a dataset has, by class."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmark.datasets.samples import AnomalyDataset

COUNTS = ("train_normal", "test_normal", "test_anomalous")


def counts_text(dataset: AnomalyDataset, found: dict[str, Any]) -> str:
    """Return what :func:`counts` found as lines for a person."""
    which = "" if dataset.split is None else f", split {dataset.split}"
    rows = [*found["classes"].items(), ("total", found["total"])]
    width = max(5, *(len(name) for name, _ in rows))
    lines = [f"{dataset.name}: layout {dataset.layout}{which}", "  ".join([f"{'class':<{width}}", *COUNTS])]
    lines += [
        "  ".join([f"{name:<{width}}", *(f"{row[count]:>{len(count)},}" for count in COUNTS)])
        for name, row in rows
    ]
    return "\n".join(lines)


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
        "train_hash": dataset.train_hash,
        "drawn_test_share": dataset.drawn,
        "classes": classes,
        "total": {count: sum(row[count] for row in classes.values()) for count in COUNTS},
    }
