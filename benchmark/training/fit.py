"""Training a method on normal images: by gradient descent, or in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.config import RunConfig
from benchmark.datasets.batches import PixelSource
from benchmark.layers.synced_norm import synchronise_norms
from benchmark.methods.base import CHECK_EVERY, GradientMethod, Method, OnePassMethod, SelfTrainedMethod
from benchmark.training.checkpoint import (
    Meta,
    Tensors,
    load_optimizer,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)
from benchmark.training.log import EpochRow, TensorBoard, write_log
from benchmark.training.memory import memory_error
from benchmark.training.order import Order
from benchmark.training.processes import from_first, gathered, seed_step
from benchmark.training.step import gradient_step
from cocoad.base.errors import CocoadError, InputError


class Listener(Protocol):
    """Hears how a training goes on; calls must be cheap."""

    def on_step(self, done: int, total: int, loss: Tensor, images_per_s: float, waiting: float) -> None:
        """After each step: how many of how many, its loss, and the share of time spent waiting for images."""

    def on_epoch(self, done: int) -> None:
        """After each epoch."""


@dataclass
class Position:
    """How far a training is; a checkpoint carries it."""

    epoch: int = 0  # epochs done
    step: int = 0  # steps done of the epoch under way
    loss_sum: float = 0.0  # over those steps
    seconds: float = 0.0  # of training so far, of all attempts
    wait_s: float = 0.0  # of the epoch under way, spent waiting for images
    epoch_s: float = 0.0  # of the epoch under way
    rows: list[EpochRow] = field(default_factory=list)


@dataclass(frozen=True)
class Fitted:
    """What a training was: seconds, and images seen by all processes."""

    seconds: float
    images: int


def fit(
    method: Method,
    pixels: PixelSource,
    config: RunConfig,
    fabric: Fabric,
    *,
    directory: Path,
    identity: Meta,
    resume: bool,
    listener: Listener,
    warn: Callable[[str], None],
) -> Fitted:
    """Train ``method`` in place; keep its log and its checkpoints in ``directory``.

    Args:
        method: on its device.
        pixels: the training images.
        config: of the run.
        fabric: this process's part of the run.
        directory: of the run.
        identity: what a checkpoint must have been made of to be gone on from (configuration, dataset).
        resume: go on from the newest sound checkpoint, if there is one.
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
    training = _Training(method, pixels, config, fabric, directory, identity, listener)
    if resume and (found := read_checkpoint(directory, warn)):
        training.restore(*found)
    return training.run()


class _Training:
    """A training by gradient descent: what changes from step to step, saved and restored as a whole."""

    def __init__(
        self,
        method: GradientMethod,
        pixels: PixelSource,
        config: RunConfig,
        fabric: Fabric,
        directory: Path,
        identity: Meta,
        listener: Listener,
    ) -> None:
        recipe = config.recipe
        self.method, self.pixels, self.config, self.recipe, self.fabric = (
            method,
            pixels,
            config,
            recipe,
            fabric,
        )
        self.directory, self.identity, self.listener = directory, identity, listener
        rank, processes = fabric.global_rank, fabric.world_size
        if recipe.batch_size % processes:
            raise InputError(f"a batch of {recipe.batch_size} does not divide among {processes} processes")
        self.order = Order(len(pixels), recipe.batch_size, config.seed, recipe.drop_last, rank, processes)
        if not len(self.order):
            raise InputError(
                f"{len(pixels)} training images do not fill a batch of {recipe.batch_size}: "
                "give a smaller --batch-size"
            )
        if processes > 1:
            synchronise_norms(method)
        method.train()
        if config.compile:
            method.compile()
        self.optimizer = method.optimizer(recipe)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.position = Position()
        self.saved_at = time.monotonic()
        self.board = TensorBoard(directory if config.tensorboard and rank == 0 else None)

    def run(self) -> Fitted:
        """Train to the end."""
        model, optimizer = self.fabric.setup(self.method, self.optimizer)
        while self.position.epoch < self.recipe.epochs:
            self._epoch(model, optimizer)
        images = self.recipe.epochs * len(self.order) * self.recipe.batch_size
        if not self.recipe.drop_last and self.fabric.world_size == 1:
            images = self.recipe.epochs * len(self.pixels)
        self.method.eval()
        return Fitted(self.position.seconds, images)

    def _epoch(self, model: Any, optimizer: Any) -> None:
        position, steps, recipe = self.position, len(self.order), self.recipe
        decayed = 0 < int(recipe.epochs * recipe.decay_at) <= position.epoch
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * recipe.decay_factor if decayed else rate
        losses = torch.tensor(position.loss_sum, dtype=torch.float64, device=self.fabric.device)
        before = position.seconds, position.epoch_s, position.wait_s
        started, waited = time.perf_counter(), 0.0
        batches = self.pixels.batches(self.order.epoch(position.epoch, position.step))
        epoch = position.epoch
        while position.epoch == epoch:
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            seed_step(self.config.seed, position.epoch * steps + position.step, self.fabric.global_rank)
            loss = self._step(model, optimizer, batch)
            losses += loss
            position.step += 1
            if position.step % CHECK_EVERY == 0 or position.step == steps:
                position.loss_sum = self._checked(losses)
            elapsed = time.perf_counter() - started
            position.seconds, position.epoch_s, position.wait_s = (
                was + more for was, more in zip(before, (elapsed, elapsed, waited), strict=True)
            )
            images_per_s = position.step * recipe.batch_size / position.epoch_s
            done = position.epoch * steps + position.step
            self.listener.on_step(
                done, recipe.epochs * steps, loss, images_per_s, position.wait_s / position.epoch_s
            )
            if position.step == steps:
                self._end_epoch(images_per_s)
            if self._time_to_save():
                position.loss_sum = self._checked(losses) if position.step else 0.0
                self._save()

    def _step(self, model: Any, optimizer: Any, batch: Tensor) -> Tensor:
        try:
            return gradient_step(self.fabric, model, optimizer, batch, self.recipe.gradient_clip_norm)
        except (RuntimeError, MemoryError) as error:
            raise memory_error(error, self.method, tuple(batch.shape)) from None

    def _checked(self, losses: Tensor) -> float:
        value = float(losses)
        if value - value != 0:  # neither NaN nor infinite
            raise CocoadError(
                f"the loss became {value} in epoch {self.position.epoch + 1}, by step {self.position.step}: "
                "lower --learning-rate, or train with --set recipe.precision=32-true"
            )
        return value

    def _end_epoch(self, images_per_s: float) -> None:
        position, steps = self.position, len(self.order)
        loss = sum(gathered(position.loss_sum)) / steps / self.fabric.world_size
        rate = float(self.optimizer.param_groups[0]["lr"])
        done = position.epoch + 1
        row = EpochRow(done, done * steps, loss, rate, images_per_s, position.wait_s, position.seconds)
        position.epoch, position.step, position.rows = done, 0, [*position.rows, row]
        position.loss_sum = position.wait_s = position.epoch_s = 0.0
        if self.fabric.global_rank == 0:
            write_log(self.directory, position.rows)
            self.board.write(row)
        self.listener.on_epoch(done)

    def _time_to_save(self) -> bool:
        ended = self.position.epoch == self.recipe.epochs
        due = time.monotonic() - self.saved_at >= self.config.checkpoint_every_s
        return self.fabric.global_rank == 0 and (ended or due)

    def _save(self) -> None:
        tensors = {f"method/{name}": tensor for name, tensor in self.method.state_dict().items()}
        state, rest = optimizer_tensors(self.optimizer)
        position = asdict(self.position)
        meta = {
            "identity": self.identity,
            "position": position,
            "optimizer": rest,
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        step = self.position.epoch * len(self.order) + self.position.step
        write_checkpoint(self.directory, step, tensors | state, meta)
        self.saved_at = time.monotonic()

    def restore(self, tensors: Tensors, meta: Meta) -> None:
        """Go back to a checkpoint."""
        if meta["identity"] != self.identity:
            names = [name for name in self.identity if meta["identity"].get(name) != self.identity[name]]
            raise InputError(
                f"the checkpoint in {self.directory} is of another run ({', '.join(names)} differ): "
                "start again without --resume, or give another --out"
            )
        weights = {
            name.removeprefix("method/"): t for name, t in tensors.items() if name.startswith("method/")
        }
        self.method.load_state_dict(weights)
        load_optimizer(self.optimizer, tensors, meta["optimizer"])
        self.fabric.strategy.precision.load_state_dict(meta["precision"])
        position = dict(meta["position"])
        position["rows"] = [EpochRow(*row) for row in position["rows"]]
        self.position = Position(**position)


def _one_pass(
    method: OnePassMethod, pixels: PixelSource, config: RunConfig, fabric: Fabric, listener: Listener
) -> Fitted:
    """Show each image once to the first process's method, and give its state to the others."""
    started = time.perf_counter()
    method.eval()
    if fabric.global_rank == 0:
        size, count = config.recipe.batch_size, len(pixels)
        order = [range(start, min(start + size, count)) for start in range(0, count, size)]
        waited = 0.0
        with torch.no_grad():
            batches = pixels.batches(order)
            for done in range(1, len(order) + 1):
                asked = time.perf_counter()
                batch = next(batches)
                waited += time.perf_counter() - asked
                seed_step(config.seed, done, 0)
                try:
                    method.fit_batch(batch.float() / 255)
                except (RuntimeError, MemoryError) as error:
                    raise memory_error(error, method, tuple(batch.shape)) from None
                elapsed = time.perf_counter() - started
                images_per_s = order[done - 1].stop / elapsed
                listener.on_step(done, len(order), torch.zeros(()), images_per_s, waited / elapsed)
            seed_step(config.seed, 0, 0)
            method.fit_end(torch.Generator().manual_seed(config.seed))
    if fabric.world_size > 1:
        state = from_first({name: tensor.cpu() for name, tensor in method.state_dict().items()})
        method.load_state_dict(state)
    listener.on_epoch(1)
    return Fitted(time.perf_counter() - started, len(pixels))


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
            listener.on_epoch(done // len(order))

    seed_step(config.seed, 0, 0)
    try:
        method.fit(_Epochs(pixels, order), recipe, heard)
    except (RuntimeError, MemoryError) as error:
        raise memory_error(
            error, method, (recipe.batch_size, 3, config.image_size, config.image_size)
        ) from None
    method.to(fabric.device).eval()
    return Fitted(time.perf_counter() - started, recipe.epochs * len(pixels))
