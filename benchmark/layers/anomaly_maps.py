"""From features and their reconstructions to anomaly maps: batched, always in float32, on any device.

Maps are float32 tensors (B, H, W), larger = more anomalous; cosine distances lie in [0, 2].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

TRUNCATE = 4.0  # the Gaussian is cut at this many sigmas, as scipy.ndimage.gaussian_filter does


def multi_level_cosine_map(
    features: Sequence[Tensor],
    reconstructions: Sequence[Tensor],
    size: int | tuple[int, int],
    sigma: float = 4.0,
) -> Tensor:
    """Return 1 - the cosine similarity of all levels taken together (InvAD, section 3.4).

    Each level is L2-normalised over its channels, brought to the first level's size (bilinear, corners
    aligned) and joined to the others along the channels. The joined tensor never exists: scalar products add
    up over the levels.

    Args:
        features: the levels [(B, C_i, H_i, W_i)], largest first.
        reconstructions: tensors of the same shapes.
        size: height and width of the maps, pixels.
        sigma: of the final Gaussian blur, pixels; 0: no blur.
    """
    first = features[0].shape[-2:]
    dot = feature_norm = reconstruction_norm = torch.zeros((), device=features[0].device)
    for feature, reconstruction in zip(features, reconstructions, strict=True):
        a = _resize(F.normalize(feature.float(), dim=1), first)
        b = _resize(F.normalize(reconstruction.float(), dim=1), first)
        dot = dot + (a * b).sum(1)
        feature_norm = feature_norm + a.square().sum(1)
        reconstruction_norm = reconstruction_norm + b.square().sum(1)
    # As torch.nn.functional.cosine_similarity: each norm is at least 1e-8.
    norms = feature_norm.clamp_min(1e-16).sqrt() * reconstruction_norm.clamp_min(1e-16).sqrt()
    return gaussian_blur(_resize((1 - dot / norms)[:, None], _pair(size))[:, 0], sigma)


def per_level_cosine_map(
    features: Sequence[Tensor],
    reconstructions: Sequence[Tensor],
    size: int | tuple[int, int],
    sigma: float = 4.0,
) -> Tensor:
    """Return the sum over levels of 1 - cosine similarity, divided by the squared number of levels, blurred.

    The published code divides twice; the constant factor changes no ranking. Arguments as
    :func:`multi_level_cosine_map`.
    """
    total = torch.zeros((), device=features[0].device)
    for feature, reconstruction in zip(features, reconstructions, strict=True):
        distance = 1 - F.cosine_similarity(feature.float(), reconstruction.float(), dim=1)
        total = total + _resize(distance[:, None], _pair(size))[:, 0]
    return gaussian_blur(total / len(features) ** 2, sigma)


def upsampled_map(distances: Tensor, size: Sequence[int], sigma: float = 4.0) -> Tensor:
    """Bring distances (B, h, w) to ``size`` (height, width; bilinear, corners aligned) and blur them."""
    return gaussian_blur(_resize(distances.float()[:, None], tuple(size))[:, 0], sigma)


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """Blur maps (B, H, W) as ``scipy.ndimage.gaussian_filter`` does: cut at 4 sigma, edges mirrored.

    Separable: one matrix product per axis, the mirrored edges being part of the matrices. Returns float32.
    """
    if sigma <= 0:
        return maps.float()
    # CUDA's float32 products may run in TF32, ten bits of mantissa; in float64 they cost little and never do.
    dtype = torch.float64 if maps.is_cuda else torch.float32
    height, width = maps.shape[-2:]
    with torch.autocast(maps.device.type, enabled=False):
        rows = _blur_matrix(height, sigma, maps.device, dtype)
        columns = _blur_matrix(width, sigma, maps.device, dtype)
        return (rows @ maps.to(dtype) @ columns.T).float()


def pooled_image_scores(maps: Tensor, kernel: int = 16) -> Tensor:
    """Return each map's maximum (B,) after average pooling with a square window and stride 1.

    UniAD's image score (You et al., NeurIPS 2022): one hot pixel does not make an anomaly. A map smaller
    than the window of ``kernel`` pixels is averaged whole.
    """
    height, width = maps.shape[-2:]
    pooled = F.avg_pool2d(maps.float()[:, None], (min(kernel, height), 1), stride=1)
    return F.avg_pool2d(pooled, (1, min(kernel, width)), stride=1).flatten(1).amax(1)


def top_share_scores(values: Tensor, share: float = 0.01) -> Tensor:
    """Return the mean (B,) of the highest ``share`` of each image's values (B, …): one of them at least."""
    values = values.flatten(1).float()
    return values.topk(max(1, int(values.shape[1] * share)), dim=1).values.mean(1)


def grouped_cosine_map(
    features: Sequence[Tensor],
    reconstructions: Sequence[Tensor],
    size: Sequence[int],
    map_size: Sequence[int],
) -> Tensor:
    """Return the groups' mean of 1 - cosine similarity, as Dinomaly does (Guo et al., CVPR 2025).

    Each group's distances are brought to ``size`` (bilinear, corners aligned), their mean to ``map_size``
    (bilinear, corners not aligned), and that is blurred by a 5×5 Gaussian of sigma 4 with zeros around.

    Args:
        features: the groups [(B, C, h, w)].
        reconstructions: tensors of the same shapes.
        size: height and width of the images, pixels.
        map_size: height and width of the maps.
    """
    total = torch.zeros((), device=features[0].device)
    for feature, reconstruction in zip(features, reconstructions, strict=True):
        distance = 1 - F.cosine_similarity(feature.float(), reconstruction.float(), dim=1)
        total = total + _resize(distance[:, None], tuple(size))
    maps = total / len(features)
    if tuple(size) != tuple(map_size):
        maps = F.interpolate(maps, tuple(map_size), mode="bilinear", align_corners=False)
    return window_blur(maps[:, 0])


def window_blur(maps: Tensor, window: int = 5, sigma: float = 4.0) -> Tensor:
    """Blur maps (B, H, W) by a Gaussian cut to ``window`` pixels a side, with zeros around; float32."""
    offsets = torch.arange(window, device=maps.device) - window // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    # Sums of shifted copies and no convolution: on a GPU that one may run in TF32, ten bits of mantissa.
    padded = F.pad(maps.float(), [window // 2] * 4)
    height, width = maps.shape[-2:]
    rows = sum(weights[i] * padded[:, i : i + height] for i in range(window))
    return cast(Tensor, sum(weights[i] * cast(Tensor, rows)[:, :, i : i + width] for i in range(window)))


def _blur_matrix(length: int, sigma: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the (length, length) matrix of a 1-d Gaussian blur with mirrored edges (c b a | a b c).

    Row i sums the Gaussian around pixel i over all mirror images of pixel j: those at j + 2·length·m and at
    -1 - j + 2·length·m. Made anew for each call: a few small operations on the device, no copy, no cache.
    """
    radius = int(TRUNCATE * sigma + 0.5)
    total = sum(math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1))
    period = 2 * length
    images = radius // period + 1
    shifts = torch.arange(-images, images + 1, device=device) * period
    offsets = torch.arange(period, device=device) + shifts[:, None]
    weights = torch.exp(offsets.to(dtype).square() * (-0.5 / sigma**2)) / total
    at_distance = torch.where(offsets.abs() <= radius, weights, torch.zeros_like(weights)).sum(0)
    pixels = torch.arange(length, device=device)
    return at_distance[(pixels - pixels[:, None]).abs()] + at_distance[pixels + pixels[:, None] + 1]


def _resize(levels: Tensor, size: tuple[int, ...]) -> Tensor:
    if levels.shape[-2:] == size:
        return levels
    return F.interpolate(levels, size, mode="bilinear", align_corners=True)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def resized_maps(maps: Tensor, size: int) -> Tensor:
    """Return maps (B, H, W) resized bilinearly, with half-pixel centres, to (B, size, size)."""
    if maps.shape[-2:] == (size, size):
        return maps
    return F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)[:, 0]
