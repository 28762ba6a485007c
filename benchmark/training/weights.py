"""Trained weights in and out of a method: our own files, or a checkpoint of other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from benchmark.config import RunConfig
from benchmark.datasets import AnomalyDataset
from benchmark.layers.weights import read_tensors
from benchmark.methods.base import Method
from benchmark.runs.record import WEIGHTS_FILE
from benchmark.training.tensorfile import save_tensors
from cocoad.base.errors import InputError, reason

METADATA = "cocoad"  # one entry: the order of several in a file would not be the same every time


def save_weights(directory: Path, method: Method, config: RunConfig, dataset: AnomalyDataset) -> None:
    """Write ``directory/weights.safetensors``, whose metadata says what was trained on what."""
    trained = {
        "method": config.method,
        "backbone": config.backbone,
        "image_size": config.image_size,
        "options": config.method_options,
        "dataset": dataset.name if dataset.split is None else f"{dataset.name} split {dataset.split}",
        "train_hash": dataset.train_hash,
    }
    save_tensors(directory / WEIGHTS_FILE, method.state_dict(), {METADATA: json.dumps(trained)})


def load_checkpoint(path: Path, method: Method, config: RunConfig, dataset: AnomalyDataset) -> str | None:
    """Load trained weights: those of a run of ours, or an officially released checkpoint that the method knows.

    Returns:
        Whose normal images they were trained on, where our file says that those were others than this dataset's.

    Raises:
        InputError: no such file; weights of another method, backbone or size.
    """
    tensors = read_tensors(path)
    trained = _metadata(path)
    wanted = {
        "method": config.method,
        "backbone": config.backbone,
        "image_size": config.image_size,
        "options": config.method_options,
    }
    for name, value in wanted.items():
        if trained.get(name, value) != value:
            raise InputError(f"{path} has {name} {trained[name]!r}, this run {value!r}")
    if tensors.keys() != method.state_dict().keys():
        method.load_foreign_state(tensors)
        return None
    try:
        method.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path}: {reason(error)}") from None
    if trained.get("train_hash", dataset.train_hash) == dataset.train_hash:
        return None
    return f"{trained.get('dataset')} ({str(trained['train_hash'])[:8]})"


def _metadata(path: Path) -> dict[str, Any]:
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            trained = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    return trained if isinstance(trained, dict) else {}
