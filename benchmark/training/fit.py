"""Training a method on normal images, whichever loop it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.config import RunConfig
from benchmark.datasets.batches import PixelSource
from benchmark.methods.base import GradientMethod, Method, OnePassMethod, SelfTrainedMethod
from benchmark.training.checkpoint import Meta, read_checkpoint
from benchmark.training.gradient import GradientTraining
from benchmark.training.hearing import Fitted, Listener
from benchmark.training.memory import memory_error, memory_error_at_the_end
from benchmark.training.order import Order
from benchmark.training.processes import from_first, seed_step
from benchmark.training.stopwatch import Stopwatch
from cocoad.base.errors import InputError


def fit(
    method: Method,
    pixels: PixelSource,
    config: RunConfig,
    fabric: Fabric,
    *,
    directory: Path,
    identity: Meta,
    listener: Listener,
    warn: Callable[[str], None],
) -> Fitted:
    """Train ``method`` in place, from the newest sound checkpoint in ``directory``, if there is one.

    Args:
        method: on its device.
        pixels: the training images.
        config: of the run.
        fabric: this process's part of the run.
        directory: of the run; its log and its checkpoints are kept there.
        identity: what a checkpoint must have been made of to be gone on from (configuration, training images).
        listener: hears how it goes on.
        warn: hears of damaged checkpoints.

    Raises:
        InputError: fewer images than a batch, neither kind of method, or a checkpoint of another run.
        ResourceError: out of memory.
        CocoadError: the loss stopped being a finite number.
    """
    if isinstance(method, OnePassMethod):
        return _one_pass(method, pixels, config, fabric, listener)
    if isinstance(method, SelfTrainedMethod):
        return _self_trained(method, pixels, config, fabric, listener)
    if not isinstance(method, GradientMethod):
        raise InputError(f"{type(method).__name__} is no GradientMethod, OnePassMethod or SelfTrainedMethod")
    training = GradientTraining(method, pixels, config, fabric, directory, identity, listener)
    if found := read_checkpoint(directory, warn):
        training.restore(*found)
    return training.run()


def _one_pass(
    method: OnePassMethod, pixels: PixelSource, config: RunConfig, fabric: Fabric, listener: Listener
) -> Fitted:
    """Show each image once to the first process's method, and give its state to the others."""
    clock = Stopwatch()
    method.eval()
    if fabric.global_rank == 0:
        size, count = config.recipe.batch_size, len(pixels)
        order = [range(start, min(start + size, count)) for start in range(0, count, size)]
        with torch.no_grad():
            for done, batch in enumerate(clock.timed(pixels.batches(order)), 1):
                seed_step(config.seed, done, 0)
                try:
                    method.fit_batch(batch.float() / 255)
                except (RuntimeError, MemoryError) as error:
                    raise memory_error(error, method, tuple(batch.shape)) from None
                clock.lap()
                speed, waiting = order[done - 1].stop / clock.seconds, clock.waited_s / clock.seconds
                listener.on_step(done, len(order), torch.zeros(()), speed, waiting)
            seed_step(config.seed, 0, 0)
            try:
                method.fit_end(torch.Generator().manual_seed(config.seed))
            except (RuntimeError, MemoryError) as error:
                raise memory_error_at_the_end(error, method) from None
    if fabric.world_size > 1:
        state = from_first({name: tensor.cpu() for name, tensor in method.state_dict().items()})
        method.load_state_dict(state)
    clock.lap()
    listener.on_epoch(1, last=True)
    return Fitted(clock.seconds, len(pixels))


class _Epochs:
    """The training set for a method that trains itself: each iteration the next epoch, in this bench's order."""

    def __init__(self, pixels: PixelSource, order: Order) -> None:
        self.pixels, self.order, self.epoch = pixels, order, 0

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Tensor]:
        batches = self.order.epoch(self.epoch)
        self.epoch += 1
        for batch in self.pixels.batches(batches):
            yield batch.float() / 255


def _self_trained(
    method: SelfTrainedMethod, pixels: PixelSource, config: RunConfig, fabric: Fabric, listener: Listener
) -> Fitted:
    """Have the method train itself."""
    if fabric.world_size > 1:
        raise InputError(f"{config.method} trains itself, in one process: start it without torchrun")
    recipe, started = config.recipe, time.perf_counter()
    order = Order(len(pixels), recipe.batch_size, config.seed, drop_last=False)
    seen = 0

    def heard(done: int, steps: int, loss: Tensor) -> None:
        nonlocal seen
        seen += min(recipe.batch_size, len(pixels))
        listener.on_step(done, steps, loss, seen / (time.perf_counter() - started), 0.0)
        if done % len(order) == 0:
            listener.on_epoch(done // len(order), last=True)  # no looks on the way: its loop is its own

    seed_step(config.seed, 0, 0)
    try:
        method.fit(_Epochs(pixels, order), recipe, heard)
    except (RuntimeError, MemoryError) as error:
        raise memory_error(
            error, method, (recipe.batch_size, 3, config.image_size, config.image_size)
        ) from None
    method.to(fabric.device).eval()
    return Fitted(time.perf_counter() - started, recipe.epochs * len(pixels))
