"""Trained weights in and out of a method: our own files, or a checkpoint of other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from benchmark.config import RunConfig
from benchmark.datasets import AnomalyDataset
from benchmark.layers.weights import read_tensors
from benchmark.methods.base import Method
from benchmark.runs.record import WEIGHTS_FILE
from cocoad.base.errors import InputError, reason
from cocoad.base.files import open_atomic

METADATA = "cocoad"  # one entry: the order of several in a file would not be the same every time


def save_weights(directory: Path, method: Method, config: RunConfig, dataset: AnomalyDataset) -> None:
    """Write ``directory/weights.safetensors``, whose metadata says what was trained on what."""
    trained = {
        "method": config.method,
        "backbone": config.backbone,
        "image_size": config.image_size,
        "options": config.method_options,
        "dataset": dataset.name if dataset.split is None else f"{dataset.name} split {dataset.split}",
        "dataset_hash": dataset.hash,
    }
    with open_atomic(directory / WEIGHTS_FILE) as temporary:
        tensors = {key: value.contiguous().cpu() for key, value in method.state_dict().items()}
        save_file(tensors, temporary, {METADATA: json.dumps(trained)})


def load_checkpoint(path: Path, method: Method, config: RunConfig, dataset: AnomalyDataset) -> None:
    """Load trained weights: those of a run of ours, or an officially released checkpoint that the method knows.

    Raises:
        InputError: no such file; weights of another method, backbone or size; or, to be scored, weights
            trained on another dataset than the one they would be scored on.
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
    if config.eval_only and trained.get("dataset_hash", dataset.hash) != dataset.hash:
        raise InputError(
            f"{path} was trained on {trained.get('dataset')}, not on the normal images of this dataset: "
            "its scores would mean nothing"
        )
    if tensors.keys() != method.state_dict().keys():
        method.load_foreign_state(tensors)
        return
    try:
        method.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path}: {reason(error)}") from None


def _metadata(path: Path) -> dict[str, Any]:
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            trained = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    return trained if isinstance(trained, dict) else {}
