"""What a trained run adds to a record: its method and weights, its device and the packages that train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmark.config import RunConfig, to_plain
from benchmark.datasets import AnomalyDataset
from benchmark.methods.base import Method
from benchmark.runs.environment import environment, text_of, version_of
from benchmark.runs.identity import recorded_preset
from benchmark.runs.record import Cost, MethodInfo
from benchmark.scoring.written import About
from cocoad.base.files import sha256_file

PACKAGES = ("torch", "torchvision", "timm")
OPTIONAL = ("anomalib", "lightning")  # recorded where they are installed: they train some of the methods
DRIVER_VERSION = Path("/sys/module/nvidia/version")
NAMED_WEIGHTS = ("imagenet", "offline", "random")


def about(
    config: RunConfig,
    dataset: AnomalyDataset,
    method: Method,
    *,
    weights: str,
    trained_on: str | None,
    epochs: int | None,
    cost: Cost,
) -> About:
    """Return what a record says of a run that ``config`` describes, beside its scores.

    ``weights`` is as :func:`weights_name` gives it, ``trained_on`` as
    :func:`~benchmark.training.weights.load_checkpoint` does.
    """
    parameters, trained = list(method.parameters()), not config.eval_only
    device = next(iter([*parameters, *method.buffers()])).device
    return About(
        method=MethodInfo(
            name=config.method,
            backbone=config.backbone,
            weights=weights,
            parameters=sum(parameter.numel() for parameter in parameters),
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            gmacs=_gmacs(method, config.image_size, device),
            options=config.method_options,
            trained_on=trained_on,
            version=method.facts.version,
        ),
        dataset=dataset.info(config.image_size, config.score_size, config.tiling),
        cost=cost,
        environment=environment(_packages()) | device_facts(device),
        config=to_plain(config),
        seed=config.seed,
        preset=recorded_preset(config, method.facts, dataset.known_as) if trained else None,
        epochs=epochs,
    )


def _packages() -> list[str]:
    return [*PACKAGES, *(name for name in OPTIONAL if version_of(name))]


def device_facts(device: torch.device) -> dict[str, Any]:
    """Return what a record says of the device: its kind, a GPU's name, CUDA and driver, and torch's threads."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": device.type,
        "gpu": gpu,
        "cuda": torch.version.cuda if gpu else None,
        "driver": text_of(DRIVER_VERSION) if gpu else None,
        "threads": torch.get_num_threads(),
    }


def weights_name(config: RunConfig) -> str:
    """Return what a record says of the weights: files by name and hash, for a path means nothing elsewhere."""

    def named(path: Path) -> str:
        return f"{path.name} sha256:{sha256_file(path)[:8]}"

    backbone = config.weights if config.weights in NAMED_WEIGHTS else named(Path(config.weights))
    return backbone if config.checkpoint is None else named(config.checkpoint)


@torch.no_grad()
def _gmacs(method: Method, size: int, device: torch.device) -> float:
    """Return 1e9 multiply–accumulates of scoring one image (a multiply and an add are two FLOPs)."""
    with FlopCounterMode(display=False) as counter:
        method.anomaly_maps(torch.zeros(1, 3, size, size, device=device))
    return float(counter.get_total_flops()) / 2e9
