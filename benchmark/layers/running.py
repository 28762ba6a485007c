"""Mean and variance of what streams by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RunningMoments(nn.Module):
    """Element-wise mean and variance over all samples seen, of tensors of ``shape``.

    Batches are merged by the formula of Chan, Golub and LeVeque (1979): no difference of two large sums, so
    float32 suffices for any number of samples. The state is in buffers.
    """

    count: Tensor
    mean: Tensor
    scatter: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(*shape))
        self.register_buffer("scatter", torch.zeros(*shape))  # the sum of squared deviations

    @property
    def variance(self) -> Tensor:
        """The population variance; zero before the first sample."""
        return self.scatter / self.count.clamp_min(1)

    @torch.no_grad()
    def update(self, batch: Tensor) -> None:
        """Take in a batch (B, *shape)."""
        batch = batch.float()
        mean = batch.mean(0)
        delta = mean - self.mean
        before, total = self.count.clone(), self.count + len(batch)
        self.mean += delta * (len(batch) / total)
        self.scatter += (batch - mean).square().sum(0) + delta.square() * (before * len(batch) / total)
        self.count.copy_(total)
