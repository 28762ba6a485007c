"""A conditional normalising flow of affine couplings on feature vectors."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLAMP = 1.9  # the most that a logarithm of a coupling's scale can be
COUPLING_FACTOR = 0.1  # of the subnet's output: a coupling starts close to the identity
SCALE_FACTOR, SCALE_BETA = 0.1, 0.5  # of the softplus that keeps the channels' own scales positive
LOG_NORMAL = -0.5 * math.log(2 * math.pi)


class ConditionalFlow(nn.Module):
    """``blocks`` couplings, each followed by a learned scale and offset and a fixed random permutation.

    Args:
        channels: of a feature vector.
        condition: channels of what each coupling is told beside.
        blocks: couplings.
    """

    def __init__(self, channels: int, condition: int, blocks: int) -> None:
        super().__init__()
        self.channels = channels
        self.blocks = nn.ModuleList(Coupling(channels, condition) for _ in range(blocks))

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return the log-likelihood (B, N), float32, of features (B, N, C) under a condition (N, D) for each place."""
        x = features.float()
        log_det = torch.zeros((), device=x.device)
        for block in self.blocks:
            x, more = block(x, condition)
            log_det = log_det + more
        return self.channels * LOG_NORMAL - 0.5 * x.square().sum(2) + log_det


class Coupling(nn.Module):
    """The first half of the channels and the condition decide scale and offset of the second half."""

    permutation: Tensor

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.passive = channels // 2  # channels that are transformed
        self.active = channels - self.passive
        inputs = self.active + condition
        self.subnet = nn.ModuleList([nn.Linear(inputs, 2 * inputs), nn.Linear(2 * inputs, 2 * self.passive)])
        neutral = math.log(math.expm1(SCALE_BETA / SCALE_FACTOR)) / SCALE_BETA  # whose scale is 1
        self.scale = nn.Parameter(torch.full((channels,), neutral))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.register_buffer("permutation", torch.randperm(channels))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the transformed x (B, N, C), and the log-determinant (B, N) of what was done to it."""
        first, second = torch.split(x, [self.active, self.passive], 2)
        entry, end = cast(nn.Linear, self.subnet[0]), self.subnet[1]
        seen, told = torch.split(entry.weight, [self.active, condition.shape[1]], 1)
        # What is told of a place is the same for all images: its product is made once.
        hidden = F.relu(F.linear(first, seen) + F.linear(condition, told, entry.bias))
        log_scale, shift = (COUPLING_FACTOR * end(hidden).float()).chunk(2, 2)
        log_scale = CLAMP * torch.tanh(log_scale)
        x = torch.cat([first, second * log_scale.exp() + shift], 2)
        scale = SCALE_FACTOR * F.softplus(self.scale, beta=SCALE_BETA)
        return (x * scale + self.offset)[..., self.permutation], log_scale.sum(2) + scale.log().sum()


def sine_positions(channels: int, height: int, width: int) -> Tensor:
    """Return each place's sine and cosine encoding (height · width, channels), row by row.

    The first half of the channels says the column, the second the row: sine and cosine in turn, of wavelengths
    that rise from 2π to 10,000 · 2π. ``channels`` is a multiple of 4.
    """
    half = channels // 2
    rates = torch.exp(torch.arange(0, half, 2) * (-math.log(1e4) / half))

    def encoded(count: int) -> Tensor:
        angles = torch.arange(count)[:, None] * rates
        return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)

    columns, rows = (
        encoded(width)[None].expand(height, -1, -1),
        encoded(height)[:, None].expand(-1, width, -1),
    )
    return torch.cat([columns, rows], 2).flatten(0, 1)
