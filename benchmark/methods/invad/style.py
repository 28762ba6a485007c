"""Spatial style modulation: the residual blocks of InvAD's decoder."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.methods.invad.convolution import ScaledConv2d


class Modulation(nn.Module):
    """One of γ(s) and β(s): a scaled 3 x 3 convolution of a style code, with a bias.

    It holds parameters; :class:`StyleConv2d` computes γ and β together.
    """

    def __init__(self, style_channels: int, channels: int, bias: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, style_channels, 3, 3))
        self.bias = nn.Parameter(torch.full((channels,), bias))


class StyleConv2d(ScaledConv2d):
    """Normalise a sample over (C, H, W), modulate it by a style code, convolve 3 x 3, activate.

    The kernel is shared by the samples of a batch, so the convolution is an ordinary one. Without
    ``style_channels`` nothing is modulated. The input may have a batch of one for styles of any batch.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        style_channels: int | None,
        upsample: bool = False,
        gain: float = math.sqrt(2),
    ) -> None:
        super().__init__(in_channels, out_channels, 3, upsample=upsample, gain=gain)
        if style_channels is not None:
            self.gamma = Modulation(style_channels, in_channels, bias=1.0)
            self.beta = Modulation(style_channels, in_channels, bias=0.0)
            self.style_scale = 1 / math.sqrt(style_channels * 9)
        self.modulated = style_channels is not None

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """Return (B, out, H, W), or twice that size, of x (B or 1, in, H, W) and style (B, style, H, W)."""
        x = normalise_sample(x)
        if self.modulated and style is not None:
            weight = torch.cat((self.gamma.weight, self.beta.weight))
            bias = torch.cat((self.gamma.bias, self.beta.bias))
            gamma, beta = F.conv2d(style * self.style_scale, weight, bias, padding=1).chunk(2, dim=1)
            x = torch.addcmul(beta, x.to(gamma.dtype), gamma)
        return super().forward(x)


class StyleBlock(nn.Module):
    """Two style-modulated convolutions beside a linear 1 x 1 one; the sum is divided by √2.

    An upsampling block doubles the size in its first convolution, which is then not modulated.
    """

    def __init__(
        self, in_channels: int, out_channels: int, style_channels: int, *, upsample: bool = False
    ) -> None:
        super().__init__()
        first_style = None if upsample else style_channels
        self.conv1 = StyleConv2d(in_channels, out_channels, style_channels=first_style, upsample=upsample)
        # The division by √2 cancels the second activation's √2 and joins the scale of the skip.
        self.conv2 = StyleConv2d(out_channels, out_channels, style_channels=style_channels, gain=1.0)
        self.skip = ScaledConv2d(in_channels, out_channels, 1, upsample=upsample, activate=False)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return (B, out, H', W') of x (B or 1, in, H, W) and the style code (B, style, H', W')."""
        skip = self.skip.convolve(x)
        return torch.add(self.conv2(self.conv1(x, style), style), skip, alpha=self.skip.scale / math.sqrt(2))


def normalise_sample(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Layer norm over (C, H, W) without affine parameters, statistics in float32, dtype and layout kept.

    The order within a sample does not matter to the statistics, so channels-last memory is read as it lies.
    """
    rows = x.permute(0, 2, 3, 1)
    with torch.autocast(x.device.type, enabled=False):
        return F.layer_norm(rows, rows.shape[1:], eps=eps).permute(0, 3, 1, 2)
