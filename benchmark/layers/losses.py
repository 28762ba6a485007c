"""Losses between feature levels and their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def flattened_cosine_loss(features: Sequence[Tensor], reconstructions: Sequence[Tensor]) -> Tensor:
    """Return Σ over levels (B, C, H, W) of the batch's mean of 1 − cosine of the levels as vectors; 0 to 2 each."""
    distances = [
        1 - F.cosine_similarity(feature.flatten(1).float(), other.flatten(1).float()).mean()
        for feature, other in zip(features, reconstructions, strict=True)
    ]
    return torch.stack(distances).sum()
