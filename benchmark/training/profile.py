"""How fast a method trains and scores on this machine, measured on synthetic pixels and remembered."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from lightning_fabric import Fabric

from benchmark.config import Precision, RunConfig
from benchmark.datasets.cache import cache_home
from benchmark.methods.base import GradientMethod, Method, OnePassMethod, SelfTrainedMethod
from benchmark.methods.registry import create, method_class
from benchmark.training.memory import is_out_of_memory
from benchmark.training.processes import launched
from benchmark.training.step import gradient_step
from cocoad.errors import InputError
from cocoad.files import json_bytes, write_atomic
from cocoad.partition import SPLITS, partition

if TYPE_CHECKING:
    from rich.table import Table

SPEEDS_FILE = "speeds.json"
WARM_UP = 2  # steps


class Speed(NamedTuple):
    """Images per second, None where memory did not suffice; and the most GPU memory, None on a CPU."""

    batch_size: int
    precision: str  # of training; scoring is in float32
    train_images_per_s: float | None
    test_images_per_s: float | None
    gpu_memory_bytes: int | None

    def hours(self, epochs: int) -> float | None:
        """Return the hours that the four official splits of COCO-AD would take: training and scoring."""
        if self.train_images_per_s is None or self.test_images_per_s is None:
            return None
        counts = [partition(split).official for split in SPLITS]
        train = sum(count.train_normal for count in counts) * epochs / self.train_images_per_s
        return (train + sum(c.test_normal + c.test_anomalous for c in counts) / self.test_images_per_s) / 3600


def measure(
    config: RunConfig, batch_sizes: Iterable[int], precisions: Sequence[Precision], seconds: float = 5.0
) -> Iterator[Speed]:
    """Yield the speed for each precision and batch size, each measured for ``seconds`` after a warm-up."""
    for precision in precisions:
        recipe = dataclasses.replace(config.recipe, precision=precision)
        for batch_size in batch_sizes:
            yield _measured(dataclasses.replace(config, recipe=recipe), batch_size, seconds)


def _measured(config: RunConfig, batch_size: int, seconds: float) -> Speed:
    fabric = launched(config)
    device = fabric.device
    torch.manual_seed(config.seed)
    method = create(config.method, config.image_size, config.backbone, **config.method_options).to(device)
    if isinstance(method, SelfTrainedMethod):
        raise InputError(f"{config.method} trains itself: it has no step to measure; time a bench run of it")
    shape = (batch_size, 3, config.image_size, config.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8).to(device)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    precision = config.recipe.precision
    try:
        train = batch_size / _seconds(_training(method, images, config, fabric), seconds, device)
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
        method.eval()
        if isinstance(method, OnePassMethod):
            method.fit_end(torch.Generator().manual_seed(config.seed))
        with torch.inference_mode():
            test = batch_size / _seconds(lambda: method.anomaly_maps(images.float() / 255), seconds, device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return Speed(batch_size, precision, None, None, None)
    return Speed(batch_size, precision, train, test, memory)


def _training(
    method: Method, images: torch.Tensor, config: RunConfig, fabric: Fabric
) -> Callable[[], object]:
    if isinstance(method, OnePassMethod):
        method.eval()
        return torch.no_grad()(lambda: method.fit_batch(images.float() / 255))
    gradient = cast(GradientMethod, method).train()
    if config.compile:
        gradient.compile()
    model, optimizer = fabric.setup(gradient, gradient.optimizer(config.recipe))
    return lambda: gradient_step(fabric, model, optimizer, images, config.recipe.gradient_clip_norm)


def _seconds(step: Callable[[], object], budget_s: float, device: torch.device) -> float:
    """Return the mean duration of a step over about ``budget_s`` seconds."""

    def finished() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    for _ in range(WARM_UP):
        step()
    started, steps = finished(), 0
    while steps == 0 or time.perf_counter() - started < budget_s:
        step()
        steps += 1
    return (finished() - started) / steps


def remember(config: RunConfig, speeds: Sequence[Speed]) -> None:
    """Keep measured speeds for :func:`known_speed`, beside the pixel caches."""
    path = cache_home(config.cache) / SPEEDS_FILE
    known = _remembered(config)
    known |= {_key(config, speed.precision, speed.batch_size): speed._asdict() for speed in speeds}
    write_atomic(path, json_bytes(known))


def known_speed(config: RunConfig) -> Speed | None:
    """Return the speed that was measured for this method, backbone, size, device, precision and batch size."""
    found = _remembered(config).get(_key(config, config.recipe.precision, config.recipe.batch_size))
    return Speed(**found) if isinstance(found, dict) else None


def _remembered(config: RunConfig) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads((cache_home(config.cache) / SPEEDS_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _key(config: RunConfig, precision: str, batch_size: int) -> str:
    device = torch.cuda.get_device_name() if config.device == "cuda" else config.device
    parts = (config.method, config.backbone, config.image_size, device, precision, f"batch {batch_size}")
    return ", ".join(map(str, parts))


def table(config: RunConfig, speeds: Iterable[Speed]) -> Table:
    """Return speeds as a table, with the hours of the four splits."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    epochs = 1 if issubclass(method_class(config.method), OnePassMethod) else config.recipe.epochs
    headings = ("precision", "batch", "training, images/s", "scoring, images/s", "GPU memory, GiB")
    for heading in (*headings, f"four splits, {epochs} epoch{'s' if epochs > 1 else ''}, hours"):
        shown.add_column(heading, justify="left" if heading == "precision" else "right")
    for speed in speeds:
        memory = None if speed.gpu_memory_bytes is None else speed.gpu_memory_bytes / 2**30
        figures = (speed.train_images_per_s, speed.test_images_per_s, memory, speed.hours(epochs))
        cells = ["–" if figure is None else f"{figure:,.1f}" for figure in figures]
        shown.add_row(speed.precision, str(speed.batch_size), *cells)
    return shown
