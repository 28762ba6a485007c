"""InvAD's decoder: a learned constant grows into the three feature levels under the style codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from benchmark.methods.invad.convolution import ScaledConv2d
from benchmark.methods.invad.style import StyleBlock


class Decoder(nn.Module):
    """Style codes at strides 16, 8, 4 into reconstructions at strides 4, 8, 16.

    Args:
        channels: of the levels at strides 4, 8, 16.
        blocks: residual blocks of the stages at strides 16, 8, 4.
        constant_size: side of the learned constant: image size / 16.
        style_channels: of the style codes.
        modulation_channels: of the codes that a stage's modulations read.
    """

    def __init__(
        self,
        channels: Sequence[int],
        blocks: Sequence[int],
        constant_size: int,
        style_channels: int = 64,
        modulation_channels: int = 16,
    ) -> None:
        super().__init__()
        deepest = channels[-1]
        self.constant = nn.Parameter(torch.randn(1, deepest, constant_size, constant_size))
        self.stem = ScaledConv2d(deepest, deepest, 3)
        self.style_maps = nn.ModuleList(
            nn.Sequential(
                ScaledConv2d(style_channels, style_channels, 3),
                ScaledConv2d(style_channels, modulation_channels, 3),
            )
            for _ in channels
        )
        outs = list(reversed(channels))
        ins = [deepest, *outs]
        self.stages = nn.ModuleList(
            nn.ModuleList(
                StyleBlock(
                    ins[stage] if block == 0 else outs[stage],
                    outs[stage],
                    modulation_channels,
                    upsample=stage > 0 and block == 0,
                )
                for block in range(blocks[stage])
            )
            for stage in range(len(outs))
        )

    def forward(self, codes: Sequence[Tensor]) -> list[Tensor]:
        """Return the reconstructions [(B, C1, H/4, W/4), (B, C2, H/8, W/8), (B, C3, H/16, W/16)]."""
        # All samples share the constant: until a style code sets them apart, a batch of one will do.
        x = self.stem(self.constant.contiguous(memory_format=torch.channels_last))
        outputs = []
        for blocks, style_map, code in zip(self.stages, self.style_maps, codes, strict=True):
            style = style_map(code)
            for block in cast(nn.ModuleList, blocks):
                x = block(x, style)
            outputs.append(x)
        return outputs[::-1]
