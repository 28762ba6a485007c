"""Feature levels joined into one tensor: a descriptor for every place of a grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def joined_levels(levels: Sequence[Tensor], size: Sequence[int] | None = None) -> Tensor:
    """Return the levels [(B, C_i, H_i, W_i)] on one grid, joined along the channels: (B, ΣC_i, h, w), float32.

    The grid is ``size`` (height, width) or the first level's; others are resized bilinearly, corners aligned.
    """
    grid = list(size or levels[0].shape[-2:])
    resized = [
        level.float()
        if list(level.shape[-2:]) == grid
        else F.interpolate(level.float(), grid, mode="bilinear", align_corners=True)
        for level in levels
    ]
    return torch.cat(resized, 1)
