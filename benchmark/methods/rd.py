"""Reverse Distillation: a mirrored student decodes what a bottleneck left of the teacher's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import per_level_cosine_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.losses import flattened_cosine_loss
from benchmark.methods.base import GradientMethod, check_size
from benchmark.methods.facts import RD

STUDENT_BLOCKS = (3, 4, 6)  # of the stages that give strides 16, 8, 4
EMBEDDING_BLOCKS = 3


class ReverseDistillation(GradientMethod):
    """RD: fusion, one-class embedding and student are trained; the teacher is frozen.

    Args:
        image_size: pixels, square, a multiple of 32.
        backbone: a timm ResNet: blocks of the student are bottlenecks where the teacher's are.

    Raises:
        InputError: the size is no multiple of 32 or the backbone does not serve.
    """

    facts: ClassVar[Facts] = RD

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        check_size("RD", image_size)
        name = backbone or str(self.facts.default_backbone)
        self.backbone = Backbone(name, image_size=image_size)
        channels = self.backbone.channels
        expansion = 4 if channels[0] >= 256 else 1
        widening = 2 if name.startswith("wide_") else 1
        self.fusion = Fusion(channels)
        deepest = 2 * channels[-1]
        # The embedding is never wide, not even a wide teacher's: the published 80.6 M parameters say so.
        embedding = [_Block(3 * channels[-1], deepest, expansion, 1, stride=2)]
        embedding += [_Block(deepest, deepest, expansion, 1) for _ in range(EMBEDDING_BLOCKS - 1)]
        self.embedding = nn.Sequential(*embedding)
        self.student = nn.ModuleList()
        inputs = deepest
        for outputs, count in zip(reversed(channels), STUDENT_BLOCKS, strict=True):
            blocks = [_Block(inputs, outputs, expansion, widening, stride=2, up=True)]
            blocks += [_Block(outputs, outputs, expansion, widening) for _ in range(count - 1)]
            self.student.append(nn.Sequential(*blocks))
            inputs = outputs
        for module in [*self.fusion.modules(), *self.embedding.modules(), *self.student.modules()]:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def reconstruct(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the student's features at strides 4, 8, 16."""
        x = self.embedding(self.fusion(features))
        levels = []
        for stage in self.student:
            x = stage(x)
            levels.append(x)
        return levels[::-1]

    def loss(self, images: Tensor) -> Tensor:
        """Return the sum over the levels of 1 − cosine of the flattened levels."""
        features = self.backbone(images)
        return flattened_cosine_loss(features, self.reconstruct(features))

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the blurred mean of the levels' upsampled cosine distances (B, H, W)."""
        features = self.backbone(images)
        height, width = images.shape[-2:]
        return per_level_cosine_map(features, self.reconstruct(features), (height, width))


class Fusion(nn.Module):
    """Levels at strides 4, 8, 16, brought to stride 16 by 3×3 convolutions and joined."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        first, second, third = channels
        self.first = nn.Sequential(*_down(first, second), *_down(second, third))
        self.second = nn.Sequential(*_down(second, third))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return (B, 3·C3, H/16, W/16)."""
        first, second, third = features
        return torch.cat([self.first(first), self.second(second), third], 1)


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class _Block(nn.Module):
    """A ResNet block, basic (``expansion`` 1) or bottleneck (4); ``up`` doubles the size instead of halving it."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, widening: int, stride: int = 1, up: bool = False
    ) -> None:
        super().__init__()
        width = outputs // expansion * widening
        resized = nn.ConvTranspose2d if up else nn.Conv2d
        kernel, padding = (2, 0) if up else (3, 1)
        middle = width if expansion > 1 else inputs
        spatial = [resized(middle, width, kernel, stride, padding, bias=False), nn.BatchNorm2d(width)]
        if expansion > 1:
            body = [nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            body += [*spatial, nn.ReLU(inplace=True), nn.Conv2d(width, outputs, 1, bias=False)]
        else:
            body = [*spatial, nn.ReLU(inplace=True), nn.Conv2d(width, outputs, 3, 1, 1, bias=False)]
        self.body = nn.Sequential(*body, nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            side = 2 if up else 1
            self.shortcut = nn.Sequential(
                resized(inputs, outputs, side, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, …) of x (B, inputs, H, W)."""
        return F.relu(self.body(x) + self.shortcut(x))
