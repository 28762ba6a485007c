"""Measured speeds, remembered beside the pixel caches: what a plan's hours come from. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from benchmark.config import Precision, RunConfig
from benchmark.datasets.places import cache_home
from benchmark.runs.identity import supported_precision
from cocoad.base.files import write_atomic
from cocoad.coco.partition import SPLITS, partition

SPEEDS_FILE = "speeds.json"


@dataclass(frozen=True)
class Speed:
    """How fast a method is; what memory did not suffice for is None."""

    batch_size: int
    precision: Precision  # of training; scoring is in float32
    train_images_per_s: float | None = None
    test_images_per_s: float | None = None  # network, maps and metrics; masks at hand
    gpu_memory_bytes: int | None = None  # the most in training; None on a CPU
    # 1e12 floating-point operations of convolutions and products per second, and those of a large convolution alone
    train_tflops: float | None = None
    convolution_tflops: float | None = None

    @property
    def convolution_share(self) -> float | None:
        """What a training reaches of a large convolution's operations per second."""
        if self.train_tflops is None or not self.convolution_tflops:
            return None
        return self.train_tflops / self.convolution_tflops

    @property
    def gpu_memory_gib(self) -> float | None:
        """``gpu_memory_bytes`` in GiB."""
        return None if self.gpu_memory_bytes is None else self.gpu_memory_bytes / 2**30

    def hours(self, images_seen: Callable[[int], int]) -> float | None:
        """Return the hours that the four official splits of COCO-AD would take: training and scoring.

        ``images_seen`` says how many images a training on so many sees, repetitions counted.
        """
        if self.train_images_per_s is None or self.test_images_per_s is None:
            return None
        counts = [partition(split).official for split in SPLITS]
        train = sum(images_seen(count.train_normal) for count in counts) / self.train_images_per_s
        return (train + sum(c.test_normal + c.test_anomalous for c in counts) / self.test_images_per_s) / 3600


def remember(config: RunConfig, speeds: Sequence[Speed], device: str) -> None:
    """Keep speeds measured on ``device`` (``cpu``, or a GPU's name) for :func:`known_speed`."""
    known = _remembered(config)
    for speed in speeds:
        known.setdefault(_key(config, speed.precision, speed.batch_size), {})[device] = speed
    write_atomic(cache_home(config.cache) / SPEEDS_FILE, msgspec.json.format(msgspec.json.encode(known)))


def known_speed(config: RunConfig) -> Speed | None:
    """Return the speed that was measured for a run: its method, backbone, size, precision and batch size.

    A run on whatever device there is takes a GPU's speed where one was measured.
    """
    remembered = _remembered(config)
    for device in ("cuda", "cpu") if config.device == "auto" else (config.device,):
        precision = supported_precision(config.recipe.precision, device)
        measured = remembered.get(_key(config, precision, config.recipe.batch_size), {})
        for name, speed in measured.items():
            if (name == "cpu") == (device == "cpu"):
                return speed
    return None


def _remembered(config: RunConfig) -> dict[str, dict[str, Speed]]:
    try:
        content = (cache_home(config.cache) / SPEEDS_FILE).read_bytes()
        return msgspec.json.decode(content, type=dict[str, dict[str, Speed]])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _key(config: RunConfig, precision: str, batch_size: int) -> str:
    parts = (config.method, config.backbone, config.image_size, precision, f"batch {batch_size}")
    return ", ".join(map(str, parts))
