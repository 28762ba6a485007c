"""One step of gradient descent: what a training repeats, and what a profile measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.config import RunConfig
from benchmark.methods.base import GradientMethod, Method, OnePassMethod


def gradient_step(
    fabric: Fabric, model: Any, optimizer: Any, batch: Tensor, clip_norm: float | None
) -> Tensor:
    """Step ``model``, a method set up by ``fabric``, on ``batch``, uint8 (B, 3, H, W); return the loss."""
    loss: Tensor = model(batch.float() / 255)
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    if clip_norm is not None:
        # In half precision the scaler answers for infinities, by skipping the step.
        fabric.clip_gradients(model, optimizer, max_norm=clip_norm, error_if_nonfinite=False)
    optimizer.step()
    return loss.detach()


def training_step(method: Method, fabric: Fabric, config: RunConfig) -> Callable[[Tensor], object]:
    """Return what a training by ``config`` repeats, as a function of a batch, uint8 (B, 3, H, W)."""
    if isinstance(method, OnePassMethod):
        one_pass = method.eval()
        return torch.no_grad()(lambda batch: one_pass.fit_batch(batch.float() / 255))
    assert isinstance(method, GradientMethod)  # a method that trains itself has no steps
    method.train()
    if config.compile:
        method.compile()
    model, optimizer = fabric.setup(method, method.optimizer(config.recipe))
    norm = config.recipe.gradient_clip_norm
    return lambda batch: gradient_step(fabric, model, optimizer, batch, norm)
