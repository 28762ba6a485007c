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


def weighted_gradient(tensor: Tensor, weight: Tensor) -> Tensor:
    """Return ``tensor`` as it is; the gradient that flows back to it is multiplied by ``weight``."""
    return tensor.detach() + weight * (tensor - tensor.detach())


def token_distances(features: Tensor, reconstructions: Tensor) -> Tensor:
    """Return 1 − cosine (B, H, W) of each place of features and reconstructions (B, C, H, W), without gradient."""
    with torch.no_grad():
        return 1 - F.cosine_similarity(features.float(), reconstructions.float(), dim=1)


def loosened(reconstructions: Tensor, distances: Tensor, easy: Tensor, factor: float) -> Tensor:
    """Return reconstructions (B, C, H, W), the gradient of the easiest places multiplied by ``factor``.

    Easy are the places nearer than the ⌊n · (1 − easy)⌋ farthest of all n places of the batch (Guo et al.,
    Dinomaly, section 3.4).

    Args:
        reconstructions: of features.
        distances: (B, H, W), of each place.
        easy: a scalar, float64: the share of easy places, 0 to below 1.
        factor: 0: easy places teach nothing; 1: no place is easy.
    """
    ordered = distances.flatten().sort(descending=True).values
    kept = (ordered.numel() * (1 - easy)).long().clamp_min(1)
    weight = torch.where(distances < ordered.gather(0, kept[None] - 1), factor, 1.0)
    return weighted_gradient(reconstructions, weight[:, None])
