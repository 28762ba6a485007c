"""What is tried: methods at sizes and lengths that the time allows, by timing a step of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.config import RunConfig, Settings
from benchmark.datasets import AnomalyDataset
from benchmark.layers.weights import OFFLINE_MODEL
from benchmark.methods.base import Method
from benchmark.methods.registry import create, facts_of
from benchmark.training.request import configured
from benchmark.training.runner import settled

METHODS = ("padim", "patchcore", "invad-lite")  # cheapest first: of three kinds, all light
CALIBRATION_SHARE = 0.15
SIZES = {"cpu": 128, "cuda": 256}  # pixels
FEWEST_EPOCHS, MOST_EPOCHS = 10, 100  # of a training by gradient: fewer say nothing of the method
BATCH = 8
SLACK = 0.8  # of the time that is left, for what the timing does not see


@dataclass(frozen=True)
class Asked:
    """What a person asked for.

    Attributes:
        dataset: a folder of any layout.
        methods: by name, in this order; empty: ``METHODS``.
        weights: imagenet, offline, random or a file.
        backbone: of all methods; None: each its own, or with the weights ``offline`` the one that they hold.
        image_size: pixels; None: 128 on a processor, 256 on a GPU.
        device: auto, cpu or cuda.
        seed: of all that is random.
        test_share: of the normal images, where the dataset has no test set.
        cache: folder of pixel caches.
    """

    dataset: Path
    methods: tuple[str, ...] = ()
    weights: str = "imagenet"
    backbone: str | None = None
    image_size: int | None = None
    device: str = "auto"
    seed: int = 42
    test_share: float | None = None
    cache: Path | None = None


def configs(asked: Asked) -> list[RunConfig]:
    """Return a configuration for each method.

    Raises:
        InputError: no such method.
        ResourceError: no such device.
    """
    backbone = asked.backbone or (OFFLINE_MODEL if asked.weights == "offline" else None)
    found = []
    for method in asked.methods or METHODS:
        fields: dict[str, Any] = {
            "method": method, "dataset": asked.dataset, "weights": asked.weights, "backbone": backbone,
            "seed": asked.seed, "device": asked.device, "test_share": asked.test_share, "cache": asked.cache,
            "calibration_share": CALIBRATION_SHARE,
        }  # fmt: skip
        (config,) = configured(Settings.of_options(fields))
        config = settled(config)
        size = asked.image_size or min(SIZES[config.device], config.image_size)
        found.append(replace(config, image_size=size, score_size=size))
    return found


def fitted(config: RunConfig, dataset: AnomalyDataset, seconds: float) -> RunConfig | str:
    """Return ``config`` with as many epochs as ``seconds`` allow, or why there is not enough time.

    What a step and a scored batch take is measured on random weights.
    """
    method = create(config.method, config.image_size, config.backbone, **config.method_options)
    scored = len(dataset.test) + len(dataset.calibration)
    step, scoring = _seconds(method, config)
    left = SLACK * seconds - scored / BATCH * scoring
    images = len(dataset.train)
    if facts_of(config.method).training != "gradient":
        needed = images / BATCH * step
        return config if needed <= left else _too_slow(needed - left + seconds)
    batch = max(2, min(config.recipe.batch_size, BATCH, images))
    epochs = int(left / max(1e-9, images / BATCH * step))
    if epochs < FEWEST_EPOCHS:
        return _too_slow(seconds - left + FEWEST_EPOCHS * images / BATCH * step)
    recipe = replace(config.recipe, epochs=min(epochs, MOST_EPOCHS), iterations=None, batch_size=batch)
    return replace(config, recipe=recipe)


def _too_slow(seconds: float) -> str:
    return f"no time: it takes about {seconds / 60:.1f} minutes here, more than are left (--minutes)"


def _seconds(method: Method, config: RunConfig) -> tuple[float, float]:
    """Return what a training step and a scored batch of ``BATCH`` images take, seconds, after a first one."""
    device = torch.device(config.device)
    method.to(device)
    images = torch.rand(BATCH, 3, config.image_size, config.image_size, device=device)
    has_step = facts_of(config.method).has_steps
    method.train()
    step = _timed(lambda: method.rehearse(images), device) if has_step else 0.0
    method.eval()
    with torch.inference_mode():
        if facts_of(config.method).training == "one pass":
            method.fit_batch(images)  # type: ignore[operator]
            method.fit_end(torch.Generator().manual_seed(0))  # type: ignore[operator]
        return step, _timed(lambda: method.predict(images), device)


def _timed(work: Any, device: torch.device) -> float:
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return seconds[-1]
