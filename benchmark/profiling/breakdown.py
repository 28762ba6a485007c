"""Where the time of a training step goes, by kind of operation: what to look at before making it faster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

from cocoad.base.console import plain_table

if TYPE_CHECKING:
    from rich.table import Table

STEPS = 5
KINDS = {  # the first whose words a name has; names are PyTorch's own, of forward and backward operations
    "convolutions": ("conv", "cudnn"),
    "matrix products, attention": ("mm", "attention", "linear"),
    "normalisation": ("norm",),
    "optimiser": ("adam", "sgd", "optimizer", "foreach"),
    "copies and changes of layout": ("copy", "cat", "clone", "contiguous", "memcpy", "memset"),
}
REST = "elementwise and all else"
LAUNCHING = "GPU idle: waiting for work"


class Part(NamedTuple):
    """One kind of operation: its seconds in a step, and its share of the step."""

    kind: str
    seconds: float
    share: float


def breakdown(step: Callable[[], object], device: torch.device) -> list[Part]:
    """Return where the time of ``step`` goes, warmed up before: the largest part first; shares add up to 1.

    On a CPU it is the time of the thread that runs the step, on a GPU that of the kernels an operation started.
    Fused kernels of a compiled step count as elementwise.
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it greets and, without a GPU, complains
    with profile(activities=activities) as profiler:
        started = time.perf_counter()
        for _ in range(STEPS):
            step()
        if on_gpu:
            torch.cuda.synchronize(device)
        wall = time.perf_counter() - started
    seconds: dict[str, float] = {}
    for event in profiler.key_averages():
        if event.device_type.name == "CPU":  # those of the GPU are the same kernels once more
            spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            seconds[kind_of(event.key)] = seconds.get(kind_of(event.key), 0.0) + spent / 1e6
    if on_gpu:
        seconds[LAUNCHING] = max(0.0, wall - sum(seconds.values()))
    total = sum(seconds.values())
    parts = (Part(kind, spent / STEPS, spent / total) for kind, spent in seconds.items() if spent > 0)
    return sorted(parts, key=lambda part: -part.seconds)


def kind_of(operation: str) -> str:
    """Return the kind of an operation by its name in PyTorch's profiler.

    >>> kind_of("aten::convolution_backward"), kind_of("aten::addmm"), kind_of("aten::leaky_relu")
    ('convolutions', 'matrix products, attention', 'elementwise and all else')
    """
    name = operation.lower()
    return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), REST)


def breakdown_table(title: str, parts: Iterable[Part]) -> Table:
    """Return the parts as a table."""
    shown = plain_table()
    shown.add_column(title, min_width=30)
    shown.add_column("ms a step", justify="right")
    shown.add_column("share", justify="right")
    for part in parts:
        shown.add_row(part.kind, f"{part.seconds * 1e3:,.2f}", f"{part.share:.0%}")
    return shown
