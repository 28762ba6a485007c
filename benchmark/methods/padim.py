"""PaDiM: a normal distribution of the features at each place."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import upsampled_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.patches import joined_levels
from benchmark.methods.base import OnePassMethod
from benchmark.methods.facts import PADIM
from cocoad.base.errors import InputError

SHRINKAGE = 0.01  # added to the covariance's diagonal, as the paper's ε (section III-B)


class PaDiM(OnePassMethod):
    """Mahalanobis distance of each place's features to those of the normal images at that place.

    Memory does not grow with the number of images: a covariance (dimensions²) for each place of the stride-4
    grid. The channels are chosen by torch's generator: another seed of the run chooses others.

    Args:
        image_size: pixels, square.
        backbone: a timm model with feature levels at strides 4, 8, 16.
        dimensions: channels that are kept of all, chosen at random (the paper: 550 of WideResNet-50-2's 1,792,
            100 of ResNet-18's 448).
    """

    facts: ClassVar[Facts] = PADIM

    count: Tensor
    total: Tensor
    products: Tensor
    selected: Tensor
    mean: Tensor
    whitening: Tensor

    def __init__(self, image_size: int = 256, backbone: str | None = None, dimensions: int = 100) -> None:
        super().__init__()
        self.backbone = Backbone(backbone or str(self.facts.default_backbone), (4, 8, 16), image_size)
        channels = sum(self.backbone.channels)
        if not 1 <= dimensions <= channels:
            raise InputError(f"PaDiM keeps 1 to {channels} dimensions on this backbone, not {dimensions}")
        self.dimensions, side = dimensions, image_size // 4
        self.register_buffer("selected", torch.randperm(channels)[:dimensions].sort().values)
        self.register_buffer("count", torch.zeros((), dtype=torch.float64), persistent=False)
        self.register_buffer("total", torch.zeros(0), persistent=False)  # (places, dimensions)
        self.register_buffer("products", torch.zeros(0), persistent=False)  # (places, dimensions²)
        self.register_buffer("mean", torch.zeros(side * side, dimensions))
        self.register_buffer("whitening", torch.eye(dimensions).repeat(side * side, 1, 1))

    def _places(self, images: Tensor) -> Tensor:
        """Return the kept features, float32 (places, B, dimensions)."""
        return joined_levels(self.backbone(images))[:, self.selected].flatten(2).permute(2, 0, 1)

    def fit_batch(self, images: Tensor) -> None:
        """Add the images' features to sums and products; the first batch's mean is the origin of both."""
        features = self._places(images)
        if not self.count:
            self.mean.copy_(features.mean(1))
            self.total = torch.zeros_like(self.mean)
            self.products = torch.zeros_like(self.whitening)
        centred = features - self.mean[:, None]
        self.count += len(images)
        self.total += centred.sum(1)
        self.products.baddbmm_(centred.transpose(1, 2), centred)

    def fit_end(self, generator: torch.Generator) -> None:
        """Invert each place's covariance, as a factor that whitens."""
        if self.count < 2:
            raise InputError("PaDiM needs two training images at least")
        shift = self.total / self.count
        covariance = (self.products - self.count * shift[:, :, None] * shift[:, None]) / (self.count - 1)
        covariance = covariance.float() + SHRINKAGE * torch.eye(self.dimensions, device=shift.device)
        self.mean += shift.float()
        factor = torch.linalg.cholesky(covariance)
        identity = torch.eye(self.dimensions, device=shift.device).expand_as(factor)
        self.whitening.copy_(torch.linalg.solve_triangular(factor, identity, upper=False))
        self.products = self.total = torch.zeros(0, device=shift.device)

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the Mahalanobis distances, upsampled and blurred (B, H, W)."""
        centred = self._places(images) - self.mean[:, None]
        distances = torch.bmm(centred, self.whitening.transpose(1, 2)).square().sum(2).sqrt()
        side = images.shape[-1] // 4
        return upsampled_map(distances.T.reshape(-1, side, side), images.shape[-2:])
