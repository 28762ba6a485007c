"""Batch norm over the batches of all processes, so that a batch cut in parts is normalised as a whole."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """``nn.SyncBatchNorm`` for the CPU too, where torch has none. The parts must be of equal size."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (B, C, H, W) by the statistics of all processes' x."""
        if not (self.training and dist.is_initialized()) or self.momentum is None:
            return super().forward(x)
        values = x.float()
        mean = _mean(values.mean((0, 2, 3)))
        centred = values - mean[:, None, None]
        variance = _mean(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            count = x.numel() // x.shape[1] * dist.get_world_size()
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        normalised = centred * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            normalised = normalised * self.weight[:, None, None] + self.bias[:, None, None]
        return normalised.to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum over the processes. Each of them uses it, so each one's gradient counts for all."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, *gradients)


def _mean(part: Tensor) -> Tensor:
    """Return the mean over the processes; the gradient flows back to all of them."""
    total: Tensor = _Sum.apply(part)
    return total / dist.get_world_size()


def synchronise_norms(module: nn.Module) -> None:
    """Replace, in place, each batch norm that trains: by torch's on a GPU, else by :class:`SyncedBatchNorm2d`.

    Names in the state dict stay. Frozen ones, which use their running statistics, are left alone.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d) and any(p.requires_grad for p in child.parameters()):
            setattr(module, name, _synchronised(child))
        else:
            synchronise_norms(child)


def _synchronised(norm: nn.BatchNorm2d) -> nn.Module:
    if next(norm.parameters()).is_cuda:
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return converted
    synced = SyncedBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine)
    synced.load_state_dict(norm.state_dict())
    return synced.train(norm.training)
