"""A literal implementation of InvAD's network: the measure of a training step's speed, and a second opinion.

It does what the definitions say, one after the other: every modulated convolution repeats its
kernel per sample and runs as a grouped convolution, scales multiply the weights, the learned constant is
repeated over the batch, upsampling inserts zeros, memory is contiguous, numbers are float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.methods.invad.convolution import ScaledConv2d, blur_kernel
from benchmark.methods.invad.method import InvAD
from benchmark.methods.invad.style import StyleBlock, StyleConv2d

SQRT2 = math.sqrt(2)


def literal_convolve(conv: ScaledConv2d, x: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
    """Convolve x (B, in, H, W) with the scaled ``weight``; grouped: (1, groups·in, H, W)."""
    kernel = weight.shape[-1]
    if not conv.upsample:
        return F.conv2d(x, weight, padding=kernel // 2, groups=groups)
    outs, ins = weight.shape[0] // groups, weight.shape[1]
    transposed = (
        weight.view(groups, outs, ins, kernel, kernel).transpose(1, 2).reshape(-1, outs, kernel, kernel)
    )
    y = F.conv_transpose2d(x, transposed, stride=2, groups=groups)
    return F.conv2d(
        y, blur_kernel(y.shape[1], y).contiguous(), padding=1 if kernel == 3 else 2, groups=y.shape[1]
    )


def literal_conv(conv: ScaledConv2d, x: Tensor) -> Tensor:
    y = literal_convolve(conv, x, conv.weight * (conv.scale * conv.weight_scale))
    return y if conv.bias is None else SQRT2 * F.leaky_relu(y + conv.bias.view(1, -1, 1, 1), 0.2)


def literal_style_conv(conv: StyleConv2d, x: Tensor, style: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    x = F.layer_norm(x, x.shape[1:])
    if conv.modulated:
        gamma, beta = (
            F.conv2d(style, part.weight * conv.style_scale, padding=1) + part.bias.view(1, -1, 1, 1)
            for part in (conv.gamma, conv.beta)
        )
        x = x * gamma + beta
    kernel = (conv.weight * conv.scale)[None].repeat(batch, 1, 1, 1, 1).flatten(0, 1)
    y = literal_convolve(conv, x.reshape(1, batch * channels, height, width), kernel, groups=batch)
    y = y.view(batch, -1, *y.shape[-2:])
    assert conv.bias is not None
    return SQRT2 * F.leaky_relu(y + conv.bias.view(1, -1, 1, 1), 0.2)


def literal_block(block: StyleBlock, x: Tensor, style: Tensor) -> Tensor:
    y = literal_style_conv(block.conv2, literal_style_conv(block.conv1, x, style), style)
    return (y + literal_conv(block.skip, x)) / SQRT2


def literal_reconstruct(method: InvAD, features: Sequence[Tensor]) -> list[Tensor]:
    fuser, decoder = method.fuser, method.decoder
    levels = [down(level.contiguous()) for down, level in zip(fuser.downsamples, features, strict=True)]
    code = fuser.bottleneck(F.relu(fuser.merge(torch.cat(levels, 1))))
    x = literal_conv(decoder.stem, decoder.constant.repeat(len(code), 1, 1, 1))
    outputs = []
    for style_convs, style_map, blocks in zip(fuser.styles, decoder.style_maps, decoder.stages, strict=True):
        for conv in _parts(style_convs):
            code = literal_conv(conv, code)
        style = code
        for conv in _parts(style_map):
            style = literal_conv(conv, style)
        for block in _parts(blocks):
            x = literal_block(block, x, style)
        outputs.append(x)
    return outputs[::-1]


def _parts(module: nn.Module) -> Iterator[Any]:
    return module.children()


def literal_loss(method: InvAD, images: Tensor) -> Tensor:
    with torch.no_grad():
        backbone = method.backbone
        features = backbone.net((images - backbone.mean) / backbone.std)
    pairs = zip(literal_reconstruct(method, features), features, strict=True)
    return method.loss_weight * torch.stack([F.mse_loss(r, f) for r, f in pairs]).sum()
