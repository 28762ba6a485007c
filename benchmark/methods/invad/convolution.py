"""Convolutions with equalised learning rate, as StyleGAN 2 has them, in their cheapest exact form.

A stored weight W is used as W·λ/√(in·k²). The constant is not multiplied into the weights at every step: it
goes into the pass over the output that adds the bias anyway. Nor is √2 multiplied after the activation: a
leaky ReLU is positively homogeneous, √2·lrelu(v) = lrelu(√2·v).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
TAPS = (1.0, 3.0, 3.0, 1.0)


class ScaledConv2d(nn.Module):
    """A convolution with equalised learning rate, optionally upsampling, then a biased leaky ReLU.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: side of the kernel, odd; the padding keeps the size.
        upsample: double the size: the weight as a transposed convolution of stride 2, then a blur.
        activate: add a bias per channel and apply the leaky ReLU; else the output is linear, without a bias.
        gain: multiplied into the output.
        weight_scale: λ; the initial weights are N(0, 1) / λ.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        upsample: bool = False,
        activate: bool = True,
        gain: float = math.sqrt(2),
        weight_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel) / weight_scale)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if activate else None
        self.upsample = upsample
        self.gain = gain
        self.weight_scale = weight_scale
        self.scale = 1 / math.sqrt(in_channels * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, H, W), or (B, out, 2H, 2W) when upsampling, of x (B, in, H, W)."""
        scale = self.scale * self.gain
        if self.bias is None:
            return self.convolve(x) * scale
        raw = self.convolve(x)
        bias = (self.bias * self.gain).to(raw.dtype).view(-1, 1, 1)
        return F.leaky_relu(torch.add(bias, raw, alpha=scale), SLOPE)

    def convolve(self, x: Tensor) -> Tensor:
        """Return the output before ``scale``, gain, bias and activation."""
        # λ ≠ 1 stays with the (small) weights: 1/λ times larger outputs would overflow in half precision.
        weight = self.weight if self.weight_scale == 1 else self.weight * self.weight_scale
        if not self.upsample:
            return F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if weight.shape[-1] == 1:
            return upsample_twice(F.conv2d(x, weight))
        return blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))


def blur_kernel(channels: int, like: Tensor) -> Tensor:
    """Return the blur as a depthwise weight (channels, 1, 4, 4); its sum is 4, the upsampling's gain."""
    taps = torch.tensor(TAPS, device=like.device, dtype=like.dtype)
    return (torch.outer(taps, taps) * (4 / 64)).expand(channels, 1, 4, 4)


def blur(x: Tensor) -> Tensor:
    """Blur the output of a 3 x 3 transposed convolution: (B, C, 2H + 1, 2W + 1) -> (B, C, 2H, 2W)."""
    return F.conv2d(x, blur_kernel(x.shape[1], x), padding=1, groups=x.shape[1])


def upsample_twice(x: Tensor) -> Tensor:
    """Put zeros between the pixels and blur: (B, C, H, W) -> (B, C, 2H, 2W).

    No weight but the blur's is involved, so a 1 x 1 convolution may precede it at low resolution.
    """
    return F.conv_transpose2d(x, blur_kernel(x.shape[1], x), stride=2, padding=1, groups=x.shape[1])
