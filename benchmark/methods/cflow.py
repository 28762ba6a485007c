"""CFLOW-AD: the likelihood of each place's features under a flow that knows the place."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import pooled_image_scores, upsampled_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.flow import ConditionalFlow, sine_positions
from benchmark.layers.tokens import level_to_tokens
from benchmark.methods.base import GradientMethod, check_size
from benchmark.methods.facts import CFLOW
from cocoad.base.errors import InputError

STRIDES = (8, 16, 32)
CONDITION = 128  # channels of the position's encoding
PEAK_MOMENTUM = 0.01  # of the running mean of batches' highest likelihoods


class CFlow(GradientMethod):
    """CFLOW-AD: a flow for each feature level is trained, the encoder is frozen.

    Two things differ from the paper's implementation, which takes 256 feature vectors of a level a step and
    normalises a level's likelihoods by the highest of the whole test set. Here a step is a batch of images, with all
    their vectors; and the highest likelihood is that of the training images (the running mean of the batches'
    highest), so that an image's map does not depend on the others it is scored with.

    Args:
        image_size: pixels, square, a multiple of 32.
        backbone: a timm model with feature levels at strides 8, 16 and 32.
        coupling_blocks: of each flow.

    Raises:
        InputError: the size is no multiple of 32, the backbone does not serve, or there is no block.
    """

    facts: ClassVar[Facts] = CFLOW

    peaks: Tensor

    def __init__(self, image_size: int = 256, backbone: str | None = None, coupling_blocks: int = 8) -> None:
        super().__init__()
        check_size("CFLOW", image_size)
        if coupling_blocks < 1:
            raise InputError(f"CFLOW needs 1 coupling block at least, not {coupling_blocks}")
        name = backbone or str(self.facts.default_backbone)
        self.backbone = Backbone(name, STRIDES, image_size)
        self.flows = nn.ModuleList(
            ConditionalFlow(channels, CONDITION, coupling_blocks) for channels in self.backbone.channels
        )
        self.register_buffer("peaks", torch.zeros(len(STRIDES)))
        for number, stride in enumerate(STRIDES):
            side = image_size // stride
            self.register_buffer(
                f"position_{number}", sine_positions(CONDITION, side, side), persistent=False
            )

    def log_likelihoods(self, images: Tensor) -> list[Tensor]:
        """Return each level's log-likelihood per channel, float32 [(B, H · W)]."""
        return [
            flow(level_to_tokens(level), self.get_buffer(f"position_{number}")) / level.shape[1]
            for number, (flow, level) in enumerate(zip(self.flows, self.backbone(images), strict=True))
        ]

    def loss(self, images: Tensor) -> Tensor:
        """Return the sum over levels of the mean of −log σ(log-likelihood per channel)."""
        likelihoods = self.log_likelihoods(images)
        with torch.no_grad():
            self.peaks.lerp_(torch.stack([level.amax() for level in likelihoods]), PEAK_MOMENTUM)
        return -torch.stack([F.logsigmoid(level).mean() for level in likelihoods]).sum()

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the sum over levels of 1 − likelihood over the highest, upsampled: 0 to 3 (B, H, W)."""
        total = torch.zeros((), device=images.device)
        for number, level in enumerate(self.log_likelihoods(images)):
            side = images.shape[-1] // STRIDES[number]
            probable = (level - self.peaks[number]).clamp_max(0).exp()
            distance = (1 - probable).reshape(-1, side, side)
            total = total + upsampled_map(distance, images.shape[-2:], sigma=0)
        return total

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return each map's maximum (B,) after 16×16 average pooling."""
        return pooled_image_scores(maps)
