"""Feature levels as sequences of tokens, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def level_to_tokens(level: Tensor) -> Tensor:
    """Return a level (B, C, H, W) as tokens (B, H·W, C), row by row."""
    return level.flatten(2).transpose(1, 2)


def tokens_to_level(tokens: Tensor, height: int) -> Tensor:
    """Return tokens (B, H·W, C) as a level (B, C, H, W)."""
    batch, places, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, height, places // height)


def group_means(levels: Sequence[Tensor], groups: int) -> list[Tensor]:
    """Return the mean of each of ``groups`` equal parts of the levels, which have one shape, in their order."""
    size = len(levels) // groups
    return [torch.stack(list(levels[start : start + size])).mean(0) for start in range(0, len(levels), size)]
