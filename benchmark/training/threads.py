"""How many of the processor's threads a training takes: as told, else all, unless measured steps beside other work
say otherwise.

Threads wait for one another: beside other work a training with two takes up to five times as long as one with a single
one, alone half as long (docs/performance.md). Sums come out in another order with another number, and so in other last
bits: a run's configuration keeps it, and a training that goes on keeps its own.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from benchmark.config import RunConfig, read_yaml
from benchmark.methods.base import GradientMethod, Method
from benchmark.runs.files import checkpoints
from benchmark.runs.record import CONFIG_FILE

SAID_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
IDLE = 0.5  # processes at work, of the last minute's mean: below, all threads are the faster choice
WORTH = 200  # steps of a training: for fewer, measuring takes longer than it can save
IMAGES = 4  # of a measured step, at most
CLEARLY = 0.8  # of the time with all threads is what a single one must take: others' work makes more of a difference


def with_threads(
    config: RunConfig, method: Method, images: int, directory: Path, force: bool, fabric: Fabric
) -> tuple[RunConfig, list[str]]:
    """Decide how many threads a run takes, where that is left open and matters.

    Args:
        method: with its weights, on the host.
        images: trained on.
        directory: of the run, which may hold an earlier attempt, gone on with unless ``force``.

    Returns:
        The configuration with it, and what there is to say.
    """
    told = config.threads or any(os.environ.get(name) for name in SAID_BY)
    steps = config.recipe.iterations or config.recipe.epochs * config.recipe.steps_per_epoch(images)
    by_processor = (
        isinstance(method, GradientMethod) and fabric.device.type == "cpu" and fabric.world_size == 1
    )
    if told or not by_processor or config.compile or config.eval_only:
        return config, []
    if not force and checkpoints(directory):
        earlier = read_yaml(directory / CONFIG_FILE)
        kept = earlier.get("threads") if isinstance(earlier, Mapping) else None
        return dataclasses.replace(config, threads=kept if isinstance(kept, int) and kept > 0 else None), []
    if steps < WORTH or torch.get_num_threads() == 1 or os.getloadavg()[0] < IDLE:
        return config, []
    seconds = measured(config, method, steps, fabric)
    number, most = faster(seconds), max(seconds)
    took = f"{seconds[1]:.2g} s on one thread and {seconds[most]:.2g} s on {most}"
    return dataclasses.replace(config, threads=number), [f"threads: {number}, as a step took {took}"]


def faster(seconds: Mapping[int, float]) -> int:
    """Return the number of threads to take by what :func:`measured` found: one where it is clearly faster, else all."""
    most = max(seconds)
    return 1 if seconds[1] < CLEARLY * seconds[most] else most


def measured(config: RunConfig, method: Method, steps: int, fabric: Fabric) -> dict[int, float]:
    """Return the seconds of a small training step, on a copy, by the number of threads: all, and one."""
    probe: Any = copy.deepcopy(method).train()
    probe.on_step(0, steps)
    count = min(max(config.recipe.batch_size, 2), IMAGES)
    seconds = {}
    with torch.random.fork_rng():
        images = torch.rand(count, 3, config.image_size, config.image_size)
        with fabric.autocast():
            probe.rehearse(images)  # the first one also makes what later ones have
            for number in (torch.get_num_threads(), 1):
                with taking_threads(number):
                    started = time.perf_counter()
                    probe.rehearse(images)
                    seconds[number] = time.perf_counter() - started
    return seconds


@contextlib.contextmanager
def taking_threads(number: int | None) -> Iterator[None]:
    """Have torch take so many threads in the block; None: as many as it takes anyhow."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        yield
    finally:
        torch.set_num_threads(before)
