"""Parts of literal implementations, written from the papers with plain loops, for methods' tests to compare with."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.layers.plain_vit import PlainViT


def block_outputs(encoder: PlainViT, images: Tensor, size: int) -> list[Tensor]:
    """Return the outputs of all blocks that the encoder has, class and register tokens first."""
    whole = timm.create_model(encoder.name, img_size=size, num_classes=0).eval()
    state = {key.removeprefix("model."): value for key, value in encoder.net.state_dict().items()}
    assert whole.load_state_dict(state, strict=False).unexpected_keys == []
    outputs: list[Tensor] = []
    for block in whole.blocks[: encoder.blocks[-1]]:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    with torch.no_grad():
        whole((images - encoder.mean) / encoder.std)
    return outputs


def linear(x: Tensor, layer: Any) -> Tensor:
    return x @ layer.weight.T + layer.bias


def norm(x: Tensor, layer: Any) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-8).sqrt()
    return scaled * layer.weight + layer.bias


def mlp(x: Tensor, layers: nn.Module) -> Tensor:
    first, second = (layer for layer in layers.modules() if isinstance(layer, nn.Linear))
    hidden = linear(x, first)
    return linear(hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5)), second)


def cosine_map(features: list[Tensor], reconstructions: list[Tensor], size: int) -> Tensor:
    """Return the map (256, 256) of one image's groups (side, side, C)."""
    total = torch.zeros(1, 1, size, size)
    for a, b in zip(features, reconstructions, strict=True):
        cosine = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
        total += F.interpolate((1 - cosine)[None, None], size, mode="bilinear", align_corners=True)
    at_256 = F.interpolate(total / len(features), 256, mode="bilinear", align_corners=False)[0, 0]
    kernel = torch.tensor(
        [[math.exp(-(i * i + j * j) / (2 * 4.0**2)) for i in range(-2, 3)] for j in range(-2, 3)]
    )
    kernel /= kernel.sum()
    blurred = torch.zeros(256, 256)
    for i in range(5):
        for j in range(5):
            rows, columns = torch.arange(256) + j - 2, torch.arange(256) + i - 2
            inside = ((rows >= 0) & (rows < 256))[:, None] & ((columns >= 0) & (columns < 256))[None]
            blurred += kernel[j, i] * at_256[rows.clamp(0, 255)][:, columns.clamp(0, 255)] * inside
    return blurred


@pytest.fixture
def literal() -> SimpleNamespace:
    """The parts: block_outputs, linear, norm, mlp and cosine_map."""
    parts = (block_outputs, linear, norm, mlp, cosine_map)
    return SimpleNamespace(**{part.__name__: part for part in parts})
