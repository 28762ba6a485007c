"""Checkpoints of a training: written whole, the last two kept, a damaged one recognised.

A checkpoint is one safetensors file: the method's state dict under ``method/``, the optimiser's tensors under
``optimizer/INDEX/NAME``; everything else is JSON in its metadata, with the SHA-256 of the tensors.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from benchmark.runs.files import CHECKPOINTS_DIR, checkpoints
from benchmark.training.tensorfile import save_tensors

KEPT = 2
Tensors = dict[str, Tensor]
Meta = dict[str, Any]


def write_checkpoint(directory: Path, step: int, tensors: Tensors, meta: Meta) -> None:
    """Write ``directory/checkpoints/step-N.safetensors`` and delete all but the last two."""
    folder = directory / CHECKPOINTS_DIR
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"meta": json.dumps(meta), "sha256": _digest(tensors)}
    save_tensors(folder / f"step-{step:09d}.safetensors", tensors, header)
    for old in checkpoints(directory)[:-KEPT]:
        old.unlink()


def read_checkpoint(directory: Path, warn: Callable[[str], None]) -> tuple[Tensors, Meta] | None:
    """Return the newest checkpoint that is sound, or None; ``warn`` hears of the damaged ones."""
    paths = checkpoints(directory)
    while paths:
        path = paths.pop()
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                header = file.metadata() or {}
            if header.get("sha256") == _digest(tensors):
                return tensors, json.loads(header["meta"])
        except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
            pass
        instead = "the checkpoint before it is tried" if paths else "none is before it, training starts again"
        warn(f"{path} is damaged: {instead}")
    return None


def delete_checkpoints(directory: Path) -> None:
    """Delete all checkpoints of a run."""
    shutil.rmtree(directory / CHECKPOINTS_DIR, ignore_errors=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[Tensors, Meta]:
    """Return an optimiser's state as tensors, and the rest of it as JSON."""
    state = optimizer.state_dict()
    tensors, numbers = {}, {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{name}"] = value
            else:
                numbers[f"{index}/{name}"] = value
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, meta: Meta) -> None:
    """Load what :func:`optimizer_tensors` gave; each tensor gets the memory layout of its parameter."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/")
            like = parameters[int(index)]
            if tensor.shape == like.shape:
                tensor = torch.empty_like(like, dtype=tensor.dtype, device="cpu").copy_(tensor)
            state.setdefault(int(index), {})[name] = tensor
    for key, value in meta["numbers"].items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": meta["param_groups"]})


def _digest(tensors: Tensors) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
