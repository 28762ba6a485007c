"""ViTAD: a plain ViT decoder reconstructs the features of a frozen plain ViT, from its last block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import per_level_cosine_map, pooled_image_scores
from benchmark.layers.losses import flattened_cosine_loss
from benchmark.layers.plain_vit import PlainViT
from benchmark.layers.tokens import level_to_tokens, tokens_to_level
from benchmark.methods.base import GradientMethod
from benchmark.methods.facts import VITAD

INITIAL_STD = 0.02  # of linear layers and position embedding, as ViTs are initialised


class ViTAD(GradientMethod):
    """ViTAD: fusion and decoder are trained, the encoder is frozen.

    Encoder and decoder are symmetric: of N blocks, the decoder's block N - t reconstructs the encoder's block
    t, where t is a quarter, a half and three quarters of N (3, 6 and 9 of 12).

    Args:
        image_size: pixels, square, a multiple of the encoder's patch.
        backbone: a timm plain ViT; the decoder has its width and heads.
    """

    facts: ClassVar[Facts] = VITAD

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        from timm.models.vision_transformer import Block

        self.backbone = PlainViT(backbone or str(self.facts.default_backbone), image_size)
        width, self.side = self.backbone.width, self.backbone.side
        *targets, depth = self.backbone.blocks
        self.exits = [depth - target for target in targets]  # decoder blocks, counted from 1, last one first
        self.fusion = nn.Linear(width, width)
        self.position = nn.Parameter(torch.zeros(1, self.side**2, width))
        self.decoder = nn.ModuleList(
            Block(width, self.backbone.heads, qkv_bias=True) for _ in range(self.exits[0])
        )
        nn.init.trunc_normal_(self.position, std=INITIAL_STD)
        for module in [self.fusion, *self.decoder.modules()]:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INITIAL_STD)
                nn.init.zeros_(module.bias)

    def reconstruct(self, last: Tensor) -> list[Tensor]:
        """Return the reconstructions of the target levels from the encoder's last one, all (B, C, H, W)."""
        tokens = self.fusion(level_to_tokens(last)) + self.position
        outputs = []
        for block in self.decoder:
            tokens = block(tokens)
            outputs.append(tokens)
        return [tokens_to_level(outputs[exit_ - 1], self.side) for exit_ in self.exits]

    def loss(self, images: Tensor) -> Tensor:
        """Return the sum over the levels of 1 − cosine of the flattened levels."""
        targets, reconstructions = self._levels(images)
        return flattened_cosine_loss(targets, reconstructions)

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the blurred mean of the levels' upsampled cosine distances (B, H, W)."""
        targets, reconstructions = self._levels(images)
        height, width = images.shape[-2:]
        return per_level_cosine_map(targets, reconstructions, (height, width))

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return each map's maximum (B,) after 16×16 average pooling."""
        return pooled_image_scores(maps)

    def _levels(self, images: Tensor) -> tuple[Sequence[Tensor], list[Tensor]]:
        *targets, last = self.backbone(images)
        return targets, self.reconstruct(last)
