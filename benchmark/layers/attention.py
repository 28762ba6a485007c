"""Transformer parts with attentions that timm does not have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-8  # of the layer norms of Dinomaly and INP-Former
KERNEL_EPS = 1e-8  # beside a sum of positive numbers: it decides only where all of them vanish
INITIAL_STD, INITIAL_BOUND = 0.01, 0.03


class LinearAttention(nn.Module):
    """Self-attention without softmax, linear in the number of tokens (Guo et al., Dinomaly, section 3.3).

    Queries and keys become elu(x) + 1, which is positive; a token's weights are their products over the sum of
    them. Computed in float32.

    Args:
        width: channels of a token.
        heads: among which they are divided.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N, width) of tokens (B, N, width)."""
        parts = self.qkv(tokens).chunk(3, 2)
        with torch.autocast(tokens.device.type, enabled=False):
            query, key, value = (split_heads(part.float(), self.heads) for part in parts)
            query, key = F.elu(query) + 1, F.elu(key) + 1
            seen = query @ (key.transpose(2, 3) @ value)
            weight = query @ key.sum(2)[..., None]
            mixed = join_heads(seen / (weight + KERNEL_EPS))
        out: Tensor = self.projection(mixed)
        return out


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Return tokens (B, N, C) as (B, heads, N, C / heads)."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """Return (B, heads, N, C) as tokens (B, N, heads · C)."""
    return tokens.transpose(1, 2).flatten(2)


def feed_forward(inputs: int, hidden: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Return a linear layer to ``hidden``, GELU, and one to ``outputs``, each followed by dropout."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
        nn.Dropout(dropout),
    )


def initialise(*parts: nn.Module) -> None:
    """Draw all linear weights from a normal of deviation 0.01, cut at 0.03; their biases become zero."""
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INITIAL_STD, a=-INITIAL_BOUND, b=INITIAL_BOUND)
                nn.init.zeros_(module.bias)
