"""What a run says before it begins: on what, of what, with what, where to."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning_fabric import Fabric

from benchmark.config import RunConfig
from benchmark.datasets import AnomalyDataset
from benchmark.datasets.places import cache_home
from benchmark.methods.registry import facts_of

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def header(
    config: RunConfig, dataset: AnomalyDataset, trained_on: int, weights: str, fabric: Fabric, directory: Path
) -> list[str]:
    """Return the lines of a run's header; ``trained_on`` so many images, or tiles of them."""
    backbone = f" on {config.backbone}, weights {weights}" if config.backbone else f", weights {weights}"
    split = "" if dataset.split is None else f" split {dataset.split}"
    size = f"{config.image_size} px"
    if config.score_size != config.image_size:
        size += f", scored at {config.score_size} px"
    tiling = config.tiling
    tiles = (
        "" if tiling is None else f" (in {trained_on:,} tiles of {tiling.size} px, {tiling.overlap} shared)"
    )
    cache = f"cache in {cache_home(config.cache)}" if config.use_cache else "no pixel cache"
    held = f"{len(dataset.calibration):,} held out for thresholds, " if dataset.calibration else ""
    lines = [
        f"method: {config.method}{backbone}; {_length(config, trained_on)}",
        f"data: {dataset.name}{split}: {len(dataset.train):,} images to train on{tiles}, {held}"
        f"{len(dataset.test):,} to score, {size}; {cache}",
        f"device: {_device(config, fabric)}",
        f"writes to: {directory}",
    ]
    if config.device == "cpu" and NVIDIA_DRIVER.exists():
        lines.append(
            "WARNING: this machine has an NVIDIA driver, and this run takes the processor"
            + ("" if torch.cuda.is_available() else f": torch {torch.__version__} sees no GPU")
        )
    return lines


def _length(config: RunConfig, images: int) -> str:
    recipe, facts = config.recipe, facts_of(config.method)
    if config.eval_only:
        return "scored only"
    if facts.training == "one pass":
        return "one pass"
    steps = f"{recipe.iterations:,} steps, " if recipe.iterations else ""
    passes = facts.passes(recipe, images)
    epochs = f"{steps}{passes} epoch{'s' if passes != 1 else ''}"
    return f"{epochs} in batches of {recipe.batch_size}, preset {config.preset}"


def _device(config: RunConfig, fabric: Fabric) -> str:
    name = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else "cpu"
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    threads = torch.get_num_threads()
    return f"{name}{processes}, {threads} thread{'s' if threads > 1 else ''}, {config.recipe.precision}"
