"""Training by gradient descent: a loop over batches that can stop anywhere and go on to the same bits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.config import RunConfig
from benchmark.datasets.batches import PixelSource
from benchmark.layers.synced_norm import synchronise_norms
from benchmark.methods.base import CHECK_EVERY, GradientMethod
from benchmark.training.checkpoint import Meta, Tensors, load_optimizer, optimizer_tensors, write_checkpoint
from benchmark.training.hearing import Fitted, Listener
from benchmark.training.log import EpochRow, write_log
from benchmark.training.memory import memory_error
from benchmark.training.order import Order
from benchmark.training.processes import gathered, seed_step
from benchmark.training.schedule import rate_factor
from benchmark.training.step import gradient_step
from benchmark.training.stopwatch import Stopwatch
from cocoad.base.errors import CocoadError, InputError


@dataclass
class Position:
    """How far a training is; a checkpoint carries it."""

    done: int = 0  # steps
    loss_sum: float = 0.0  # over those of the epoch under way
    clock: Stopwatch = field(default_factory=Stopwatch)
    rows: list[EpochRow] = field(default_factory=list)


class GradientTraining:
    """A training by gradient descent: what changes from step to step, saved and restored as a whole.

    Args:
        method: on its device.
        pixels: the training images.
        config: of the run.
        fabric: this process's part of the run.
        directory: of the run.
        identity: what a checkpoint must have been made of to be gone on from (configuration, training images).
        listener: hears how it goes on.

    Raises:
        InputError: a batch that does not divide among the processes, or fewer images than a batch, or one
            whose single image is too little for the method's batch norms.
    """

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
        self.method, self.pixels, self.fabric = method, pixels, fabric
        self.config, self.recipe, self.directory = config, config.recipe, directory
        self.identity, self.listener = identity, listener
        self.order = _order(len(pixels), config, fabric)
        self.steps = self.recipe.iterations or self.recipe.epochs * len(self.order)
        if fabric.world_size > 1:
            synchronise_norms(method)
        method.train()
        _refuse_single_values(method, self.order, config)
        if config.compile:
            method.compile()
        self.optimizer = method.optimizer(self.recipe)
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.position = Position()
        self.losses = torch.zeros((), dtype=torch.float64, device=fabric.device)  # summed over the epoch
        self.saved_at = time.monotonic()

    @property
    def epochs(self) -> int:
        """Epochs done, a last one that was cut short included."""
        return -(-self.position.done // len(self.order))

    def run(self) -> Fitted:
        """Train to the end."""
        model, optimizer = self.fabric.setup(self.method, self.optimizer)
        while self.position.done < self.steps:
            self._epoch(model, optimizer)
        self.method.eval()
        images = self.method.facts.images_seen(self.recipe, len(self.pixels))
        return Fitted(self.position.clock.seconds, images)

    def _epoch(self, model: Any, optimizer: Any) -> None:
        position, clock = self.position, self.position.clock
        epoch, before = divmod(position.done, len(self.order))
        batches = self.order.epoch(epoch, before)[: self.steps - position.done]
        for batch in clock.timed(self.pixels.batches(batches)):
            loss = self._learn(model, optimizer, batch)
            self.losses += loss
            position.done += 1
            step = position.done - epoch * len(self.order)
            last = step == before + len(batches)
            if last or step % CHECK_EVERY == 0:
                self._check(epoch, step)
            clock.lap()
            speed, waiting = step * self.recipe.batch_size / clock.epoch_s, clock.waited_s / clock.epoch_s
            self.listener.on_step(position.done, self.steps, loss, speed, waiting)
            if last:
                self._end_epoch(step, speed)
            self._save_if_due()

    def _learn(self, model: Any, optimizer: Any, batch: Tensor) -> Tensor:
        """Take a step; return its loss."""
        done = self.position.done
        factor = rate_factor(self.recipe, done, self.steps, len(self.order))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.method.on_step(done, self.steps)
        seed_step(self.config.seed, done, self.fabric.global_rank)
        try:
            return gradient_step(self.fabric, model, optimizer, batch, self.recipe.gradient_clip_norm)
        except (RuntimeError, MemoryError) as error:
            raise memory_error(error, self.method, tuple(batch.shape)) from None

    def _check(self, epoch: int, step: int) -> None:
        value = self.position.loss_sum = float(self.losses)
        if value - value != 0:  # neither NaN nor infinite
            raise CocoadError(
                f"the loss became {value} in epoch {epoch + 1}, by step {step}: "
                "lower --learning-rate, or train with --set recipe.precision=32-true"
            )

    def _end_epoch(self, steps: int, images_per_s: float) -> None:
        position, clock = self.position, self.position.clock
        loss = sum(gathered(position.loss_sum)) / steps / self.fabric.world_size
        rate = float(self.optimizer.param_groups[0]["lr"])
        row = EpochRow(self.epochs, position.done, loss, rate, images_per_s, clock.waited_s, clock.seconds)
        position.rows.append(row)
        position.loss_sum = 0.0
        self.losses.zero_()
        clock.new_epoch()
        if self.fabric.global_rank == 0:
            write_log(self.directory, position.rows)
        self.listener.on_row(row)
        self.listener.on_epoch(self.epochs, position.done == self.steps)
        self.method.train()  # a look at the test set leaves it in eval mode
        clock.start()

    def _save_if_due(self) -> None:
        due = time.monotonic() - self.saved_at >= self.config.checkpoint_every_s
        if self.fabric.global_rank == 0 and (due or self.position.done == self.steps):
            self.position.loss_sum = float(self.losses)
            self._save()

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
        write_checkpoint(self.directory, self.position.done, tensors | state, meta)
        self.saved_at = time.monotonic()

    def restore(self, tensors: Tensors, meta: Meta) -> None:
        """Go back to a checkpoint.

        Raises:
            InputError: it is of another run.
        """
        if meta["identity"] != self.identity:
            names = [name for name in self.identity if meta["identity"].get(name) != self.identity[name]]
            raise InputError(
                f"the checkpoint in {self.directory} is of another run ({', '.join(names)} differ): "
                "give --overwrite to start again, or another --out"
            )
        weights = {
            name.removeprefix("method/"): t for name, t in tensors.items() if name.startswith("method/")
        }
        self.method.load_state_dict(weights)
        load_optimizer(self.optimizer, tensors, meta["optimizer"])
        self.fabric.strategy.precision.load_state_dict(meta["precision"])
        self.position = _position(meta["position"])
        self.losses.fill_(self.position.loss_sum)
        for row in self.position.rows:
            self.listener.on_row(row)


def _position(saved: dict[str, Any]) -> Position:
    clock = Stopwatch(*(float(saved["clock"][name]) for name in ("seconds", "epoch_s", "waited_s")))
    return Position(saved["done"], saved["loss_sum"], clock, [EpochRow(*row) for row in saved["rows"]])


def _order(images: int, config: RunConfig, fabric: Fabric) -> Order:
    recipe, rank, processes = config.recipe, fabric.global_rank, fabric.world_size
    if recipe.batch_size % processes:
        raise InputError(f"a batch of {recipe.batch_size} does not divide among {processes} processes")
    order = Order(images, recipe.batch_size, config.seed, recipe.drop_last, rank, processes)
    if not len(order):
        raise InputError(
            f"{images} training images do not fill a batch of {recipe.batch_size}: give a smaller --batch-size"
        )
    return order


def _refuse_single_values(method: GradientMethod, order: Order, config: RunConfig) -> None:
    """Try a batch of one image, where there will be one: a batch norm of a single value a channel has no variance."""
    sizes = {len(batch) for batch in _ends(order.epoch(0))}
    norms = [
        module for module in method.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    ]
    if 1 not in sizes or order.processes > 1 or not norms:
        return
    kept = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    device = next(method.parameters()).device
    try:
        with torch.random.fork_rng():
            method.rehearse(torch.zeros(1, 3, config.image_size, config.image_size, device=device))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        advice = "a larger --batch-size" if order.batch_size == 1 else "--set recipe.drop_last=true"
        raise InputError(
            f"{config.method} has batch norms that see a single value of a batch of one image at "
            f"{config.image_size} pixels: give {advice}, or a larger --image-size"
        ) from None
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in norm.named_buffers():
                buffer.copy_(buffers[name])


def _ends(batches: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    return [batches[0], batches[-1]]
