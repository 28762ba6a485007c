"""How fast a method trains and scores on this machine, measured on synthetic pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmark.config import Precision, RunConfig
from benchmark.methods.base import OnePassMethod
from benchmark.methods.registry import create, facts_of
from benchmark.metrics import Evaluator
from benchmark.profiling.breakdown import Part, breakdown
from benchmark.profiling.speeds import Speed
from benchmark.runs.identity import supported_precision
from benchmark.training.memory import is_out_of_memory
from benchmark.training.processes import launched, set_determinism
from benchmark.training.step import training_step
from cocoad.base.console import plain_table
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

WARM_UP = 2  # steps


def telling_precisions(config: RunConfig) -> list[Precision]:
    """Return the precisions worth comparing: float32, and bf16 where a training would use it natively."""
    if facts_of(config.method).training != "gradient":
        return ["32-true"]
    return sorted({"32-true", supported_precision("bf16-mixed", config.device)})


def measured(config: RunConfig, seconds: float = 5.0) -> Speed:
    """Return how fast the method of ``config`` is, at its batch size and precision, on synthetic pixels.

    Args:
        config: of a run; its data is not looked at.
        seconds: how long each figure is measured, after a warm-up.

    Raises:
        InputError: the method trains itself.
    """
    recipe = config.recipe
    try:
        case = _Case(config)
        if case.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(case.device)
        flops = case.flops_per_image()
        train = recipe.batch_size / _seconds(case.training(), seconds, case.device)
        memory = torch.cuda.max_memory_allocated(case.device) if case.device.type == "cuda" else None
        test = recipe.batch_size / _seconds(case.scoring(), seconds, case.device)
        convolution = _convolution_tflops(case.device, recipe.precision, seconds)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return Speed(recipe.batch_size, recipe.precision)
    return Speed(recipe.batch_size, recipe.precision, train, test, memory, train * flops / 1e12, convolution)


def parts_of_a_step(config: RunConfig) -> list[Part]:
    """Return where the time of a training step of ``config`` goes; arguments and errors as :func:`measured`."""
    case = _Case(config)
    step = case.training()
    for _ in range(WARM_UP):
        step()
    return breakdown(step, case.device)


class _Case:
    """A method on its device with a batch of random pixels, and what is to be timed."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.fabric = config, launched(config)
        self.device = self.fabric.device
        set_determinism(config)
        torch.manual_seed(config.seed)
        if not facts_of(config.method).has_steps:
            raise InputError(
                f"{config.method} trains itself: it has no step to measure; time a bench run of it"
            )
        method = create(config.method, config.image_size, config.backbone, **config.method_options)
        self.method = method.to(self.device)
        shape = (config.recipe.batch_size, 3, config.image_size, config.image_size)
        self.images = torch.randint(0, 256, shape, dtype=torch.uint8).to(self.device)

    def training(self) -> Callable[[], object]:
        """Return the training step."""
        step = training_step(self.method, self.fabric, self.config)
        return lambda: step(self.images)

    def scoring(self) -> Callable[[], object]:
        """Return the scoring of a batch; training comes first."""
        method, evaluator = self.method.eval(), Evaluator()
        if isinstance(method, OnePassMethod):  # it has no state to score with before
            method.fit_end(torch.Generator().manual_seed(self.config.seed))
        side = self.config.image_size
        masks = np.zeros((len(self.images), side, side), bool)
        masks[::2, side // 4 : side // 2, side // 4 : side // 2] = True

        @torch.inference_mode()
        def score() -> None:
            maps, scores = method.predict(self.images.float() / 255)
            evaluator.update(maps, masks, image_scores=scores)

        return score

    def flops_per_image(self) -> float:
        """Return the floating-point operations of a training step, by image: convolutions and products."""
        images = self.images[:1].float() / 255
        with FlopCounterMode(display=False) as counter:
            self.method.eval().rehearse(images)
        return float(counter.get_total_flops())


def _convolution_tflops(device: torch.device, precision: Precision, seconds: float) -> float:
    """Return how many 1e12 floating-point operations per second a large 3 x 3 convolution does."""
    batch, channels, side = (64, 512, 32) if device.type == "cuda" else (4, 256, 32)
    dtype = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}[precision]
    layout = torch.channels_last
    x = torch.randn(batch, channels, side, side, device=device, dtype=dtype).to(memory_format=layout)
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype).to(memory_format=layout)
    flops = 2 * 9 * batch * channels**2 * side**2
    return flops / _seconds(lambda: F.conv2d(x, weight, padding=1), min(seconds, 1.0), device) / 1e12


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


def device_name(device: str) -> str:
    """Return what speeds are remembered of: ``cpu``, or the GPU's name."""
    return torch.cuda.get_device_name() if device == "cuda" else device


def table(config: RunConfig, speeds: Iterable[Speed]) -> Table:
    """Return speeds as a table, with the hours of the four splits."""
    facts, recipe = facts_of(config.method), config.recipe
    once = facts.passes(recipe, recipe.batch_size)
    length = f"{recipe.iterations:,} steps" if recipe.iterations else f"{once} epoch{'s' if once > 1 else ''}"
    columns: dict[str, Callable[[Speed], str]] = {
        "precision": lambda speed: speed.precision,
        "batch": lambda speed: str(speed.batch_size),
        "training, images/s": lambda speed: _cell(speed.train_images_per_s),
        "TFLOP/s": lambda speed: _cell(speed.train_tflops, ",.3g"),
        "of a convolution's": lambda speed: _cell(speed.convolution_share, ".0%"),
        "scoring, images/s": lambda speed: _cell(speed.test_images_per_s),
        "GPU memory, GiB": lambda speed: _cell(speed.gpu_memory_gib),
        f"four splits, {length}, hours": lambda speed: _cell(
            speed.hours(lambda images: facts.images_seen(recipe, images))
        ),
    }
    if config.device != "cuda":
        del columns["GPU memory, GiB"]
    shown = plain_table()
    for heading in columns:
        shown.add_column(heading, justify="left" if heading == "precision" else "right")
    for speed in speeds:
        shown.add_row(*(cell(speed) for cell in columns.values()))
    return shown


def _cell(figure: float | None, style: str = ",.1f") -> str:
    return "–" if figure is None else f"{figure:{style}}"
