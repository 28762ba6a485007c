"""Training a method on normal images: by gradient descent, or in one pass."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmark.config import Recipe
from benchmark.methods.base import GradientMethod, Method, OnePassMethod
from benchmark.record import TRAIN_LOG_FILE
from cocoad.errors import CocoadError, InputError
from cocoad.files import write_atomic

Images = torch.utils.data.Dataset[torch.Tensor]
OnEpoch = Callable[[int, float], None]  # (epochs done, mean loss)
LOG_HEADER = ("epoch", "step", "loss", "learning_rate", "images_per_s", "seconds")
AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def fit(
    method: Method,
    images: Images,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    workers: int,
    directory: Path,
    on_epoch: OnEpoch,
) -> int:
    """Train ``method`` in place; write the training log to ``directory``; return how many images were seen.

    Raises:
        InputError: fewer images than a batch, or neither kind of method.
        CocoadError: the loss stopped being a finite number.
    """
    generator = torch.Generator().manual_seed(seed)
    if isinstance(method, OnePassMethod):
        method.eval()
        with torch.no_grad():
            for batch in DataLoader(images, recipe.batch_size, num_workers=workers):
                method.fit_batch(batch.to(device).float() / 255)
            method.fit_end(generator)
        return len(images)  # type: ignore[arg-type]
    if not isinstance(method, GradientMethod):
        raise InputError(f"{type(method).__name__} is neither a GradientMethod nor a OnePassMethod")
    loader = DataLoader(
        images,
        recipe.batch_size,
        shuffle=True,
        drop_last=recipe.drop_last,
        num_workers=workers,
        generator=generator,
    )
    if len(loader) == 0:
        raise InputError(
            f"{len(images)} training images do not fill a batch of {recipe.batch_size}: "  # type: ignore[arg-type]
            "give a smaller --batch-size"
        )
    return _descend(method, loader, recipe, device, directory, on_epoch)


def _descend(
    method: GradientMethod,
    loader: DataLoader[torch.Tensor],
    recipe: Recipe,
    device: torch.device,
    directory: Path,
    on_epoch: OnEpoch,
) -> int:
    parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
    optimizer = _optimizer(parameters, recipe)
    dtype = AUTOCAST.get(recipe.precision)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    log: list[tuple[object, ...]] = []
    seen, started = 0, time.perf_counter()
    decay_epoch = int(recipe.epochs * recipe.decay_at)
    method.train()
    for epoch in range(recipe.epochs):
        if epoch == decay_epoch and epoch:
            for group in optimizer.param_groups:
                group["lr"] *= recipe.decay_factor
        losses, begun, images = [], time.perf_counter(), 0
        for step, batch in enumerate(loader):
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                loss = method.loss(batch.to(device).float() / 255)
            if not torch.isfinite(loss):
                raise CocoadError(
                    f"the loss became {loss.item()} in epoch {epoch + 1}, step {step + 1}: "
                    "lower the learning rate, or train in float32"
                )
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.unscale_(optimizer)
            if recipe.gradient_clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip_norm)
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
            images += len(batch)
        seen += images
        seconds = time.perf_counter() - begun
        mean, rate = sum(losses) / len(losses), optimizer.param_groups[0]["lr"]
        row = (epoch + 1, (epoch + 1) * len(loader), f"{mean:.6g}", f"{rate:.6g}", f"{images / seconds:.1f}")
        log.append((*row, f"{time.perf_counter() - started:.1f}"))
        _write_log(directory, log)
        on_epoch(epoch + 1, mean)
    return seen


def _optimizer(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    rate, decay = recipe.scaled_learning_rate, recipe.weight_decay
    betas = (float(recipe.betas[0]), float(recipe.betas[1]))
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, betas=betas, weight_decay=decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, betas=betas, weight_decay=decay)
    return torch.optim.SGD(parameters, rate, weight_decay=decay)


def _write_log(directory: Path, rows: list[tuple[object, ...]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([LOG_HEADER, *rows])
    write_atomic(directory / TRAIN_LOG_FILE, buffer.getvalue().encode())
