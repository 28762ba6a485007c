"""One step of gradient descent: what a training repeats, and what a profile measures."""

from __future__ import annotations

from typing import Any

from lightning_fabric import Fabric
from torch import Tensor


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
