"""Floors: two methods without any learning that every other one must beat."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import gaussian_blur, upsampled_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.patches import joined_levels
from benchmark.layers.running import RunningMoments
from benchmark.methods.base import OnePassMethod
from benchmark.methods.facts import FEATURE_DISTANCE, MEAN_IMAGE


class MeanImage(OnePassMethod):
    """The Euclidean distance of each pixel's colour to that of the mean training image, blurred.

    Args:
        image_size: pixels, square.
        backbone: ignored: there is none.
    """

    facts: ClassVar[Facts] = MEAN_IMAGE

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        self.moments = RunningMoments((3, image_size, image_size))

    def fit_batch(self, images: Tensor) -> None:
        """Take the images into the mean."""
        self.moments.update(images)

    def fit_end(self, generator: torch.Generator) -> None:
        """Do nothing: the mean is always up to date."""

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the blurred distances (B, H, W), at most the square root of 3."""
        return gaussian_blur((images - self.moments.mean).square().sum(1).sqrt(), 4.0)


class FeatureDistance(OnePassMethod):
    """How far a pretrained feature is from its place's mean, in that place's standard deviations.

    PaDiM without correlations: mean and variance of each channel at each place of the stride-8 grid.

    Args:
        image_size: pixels, square.
        backbone: a timm model with feature levels at strides 8 and 16.
    """

    facts: ClassVar[Facts] = FEATURE_DISTANCE

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        self.backbone = Backbone(backbone or str(self.facts.default_backbone), (8, 16), image_size)
        grid = image_size // 8
        self.moments = RunningMoments((sum(self.backbone.channels), grid, grid))

    def fit_batch(self, images: Tensor) -> None:
        """Take the images' features into the moments."""
        self.moments.update(joined_levels(self.backbone(images)))

    def fit_end(self, generator: torch.Generator) -> None:
        """Do nothing: the moments are always up to date."""

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the root mean square of the channels' standard scores, upsampled and blurred (B, H, W)."""
        features = joined_levels(self.backbone(images))
        deviation = (self.moments.variance + 1e-6).sqrt()
        distance = ((features - self.moments.mean) / deviation).square().mean(1).sqrt()
        return upsampled_map(distance, images.shape[-2:])
