"""InvAD and InvAD-lite: reconstruct a frozen encoder's features by inverting a style-modulated generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import multi_level_cosine_map
from benchmark.layers.backbone import Backbone
from benchmark.methods.base import GradientMethod, check_size
from benchmark.methods.facts import INVAD, INVAD_LITE
from benchmark.methods.invad.decoder import Decoder
from benchmark.methods.invad.fuser import Fuser
from benchmark.methods.invad.official import from_official


class InvAD(GradientMethod):
    """InvAD: fuser and decoder are trained, the encoder is frozen.

    Args:
        image_size: pixels, square, a multiple of 32.
        backbone: a timm model with feature levels at strides 4, 8, 16.

    Raises:
        InputError: the size is no multiple of 32 or the backbone does not serve.
    """

    facts: ClassVar[Facts] = INVAD
    blocks: ClassVar[tuple[int, int, int]] = (2, 2, 2)
    loss_weight: ClassVar[float] = 1.0

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        check_size("InvAD", image_size)
        self.image_size = image_size
        self.backbone = Backbone(backbone or str(self.facts.default_backbone), image_size=image_size)
        self.fuser = Fuser(self.backbone.channels)
        self.decoder = Decoder(self.backbone.channels, self.blocks, image_size // 16)
        self.to(memory_format=torch.channels_last)

    def reconstruct(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the reconstructions of the levels, of the same shapes."""
        return cast("list[Tensor]", self.decoder(self.fuser(features)))

    def loss(self, images: Tensor) -> Tensor:
        """Return the sum over the levels of the mean squared error, in float32."""
        features = self.backbone(images)
        errors = [
            F.mse_loss(reconstruction.float(), feature.float())
            for reconstruction, feature in zip(self.reconstruct(features), features, strict=True)
        ]
        return self.loss_weight * torch.stack(errors).sum()

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the multi-level cosine maps (B, H, W) of features and reconstructions."""
        features = self.backbone(images)
        height, width = images.shape[-2:]
        return multi_level_cosine_map(features, self.reconstruct(features), (height, width))

    def load_foreign_state(self, state: dict[str, Tensor]) -> None:
        """Load an officially released checkpoint's state dict: encoder, fuser and decoder."""
        self.load_state_dict(from_official(state, self.state_dict()))


class InvADLite(InvAD):
    """InvAD-lite: a ResNet-34 encoder, narrower and deeper stages."""

    facts: ClassVar[Facts] = INVAD_LITE
    blocks: ClassVar[tuple[int, int, int]] = (4, 4, 4)
    loss_weight: ClassVar[float] = 5.0
