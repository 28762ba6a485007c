"""InvAD's fuser: three feature levels into one bottleneck, and that into three style codes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.methods.invad.convolution import ScaledConv2d

STRIDES = (4, 8, 16)
NORM_EPS = 1e-6
UPSAMPLING_WEIGHT_SCALE = 0.01


class Fuser(nn.Module):
    """Features (C1, C2, C3 channels at strides 4, 8, 16) into style codes at strides 16, 8, 4."""

    def __init__(self, channels: Sequence[int], style_channels: int = 64) -> None:
        super().__init__()
        self.downsamples = nn.ModuleList(
            _conv_norm(count, count, STRIDES[-1] // stride, bias=True)
            for count, stride in zip(channels, STRIDES, strict=True)
        )
        self.merge = _conv_norm(sum(channels), style_channels, 1, bias=False)
        self.bottleneck = Bottleneck(style_channels, style_channels // 4)
        self.styles = nn.ModuleList(
            nn.Sequential(
                ScaledConv2d(
                    style_channels,
                    style_channels,
                    3,
                    upsample=level > 0,
                    weight_scale=UPSAMPLING_WEIGHT_SCALE if level > 0 else 1.0,
                ),
                ScaledConv2d(style_channels, style_channels, 3),
            )
            for level in range(len(STRIDES))
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the style codes [(B, style, H/16, W/16), (…, H/8, W/8), (…, H/4, W/4)]."""
        levels = [down(level) for down, level in zip(self.downsamples, features, strict=True)]
        x = self.bottleneck(F.relu(self.merge(torch.cat(levels, dim=1))))
        codes = []
        for style in self.styles:
            x = style(x)
            codes.append(x)
        return codes


class Bottleneck(nn.Module):
    """The residual bottleneck of He et al. (CVPR 2016) with an identity shortcut."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of x's shape (B, C, H, W)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(x + cast(Tensor, self.bn3(self.conv3(y))))


def _conv_norm(in_channels: int, out_channels: int, kernel: int, bias: bool) -> nn.Sequential:
    """A convolution whose stride is its kernel, then batch norm."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride=kernel, bias=bias)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels, eps=NORM_EPS)))
