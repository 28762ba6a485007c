"""Feature levels as sequences of tokens, and back."""

from __future__ import annotations

from torch import Tensor


def level_to_tokens(level: Tensor) -> Tensor:
    """Return a level (B, C, H, W) as tokens (B, H·W, C), row by row."""
    return level.flatten(2).transpose(1, 2)


def tokens_to_level(tokens: Tensor, height: int) -> Tensor:
    """Return tokens (B, H·W, C) as a level (B, C, H, W)."""
    batch, places, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, height, places // height)
