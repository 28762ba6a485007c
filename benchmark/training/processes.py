"""One process or many: devices, precision, determinism and what passes between processes."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric

from benchmark.config import RunConfig

T = TypeVar("T")


def launched(config: RunConfig) -> Fabric:
    """Return this process's part of a run: alone, or one of those that ``torchrun`` started."""
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    here, everywhere = (int(os.environ.get(name, 1)) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    fabric = Fabric(
        accelerator=config.device,
        devices=here,
        num_nodes=everywhere // here,
        strategy="ddp" if everywhere > 1 else "auto",
        precision=config.recipe.precision,
    )
    fabric.launch()
    return fabric


def set_determinism(config: RunConfig) -> None:
    """Have torch compute the same bits every time, or, on a GPU, whatever is fastest.

    Where an operation has no deterministic form on a GPU, torch warns and goes on.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its products may differ
    torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = config.deterministic
    torch.backends.cudnn.benchmark = not config.deterministic


def is_first() -> bool:
    """Say whether this is the first of the run's processes: the one that writes and speaks."""
    return not dist.is_initialized() or dist.get_rank() == 0


def gathered(value: T) -> list[T]:
    """Return every process's ``value``, in the order of the processes, to each of them."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)  # between our own processes
    return values


def from_first(value: T) -> T:
    """Return the first process's ``value`` to each of them."""
    if not dist.is_initialized():
        return value
    values: list[Any] = [value if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(values)
    found: T = values[0]
    return found


def barrier() -> None:
    """Wait until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def seed_step(seed: int, step: int, rank: int) -> None:
    """Make all randomness of a training step a function of seed, step and process.

    A resumed training needs no generator's state then.
    """
    import random

    import numpy as np

    mixed = int(np.random.SeedSequence([seed % 2**64, step, rank]).generate_state(1, np.uint64)[0])
    torch.manual_seed(mixed)
    random.seed(mixed)
    np.random.seed(mixed % 2**32)  # noqa: NPY002
