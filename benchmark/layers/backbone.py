"""A frozen pretrained encoder from timm: feature levels at given strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.layers.frozen import FrozenEncoder
from cocoad.base.errors import InputError, reason


class Backbone(FrozenEncoder):
    """A timm network's feature levels at given strides.

    Args:
        name: a timm model (optionally with a pretrained tag, ``resnet34.bt_in1k``).
        strides: the feature levels wanted, by their reduction.
        image_size: pixels, square; families with a fixed input size are built for it.

    Raises:
        InputError: timm has no such model, or its features do not lie at these strides.
    """

    def __init__(self, name: str, strides: Sequence[int] = (4, 8, 16), image_size: int = 256) -> None:
        super().__init__(name)
        self.strides = list(strides)
        self._options = _feature_options(name, self.strides, image_size)
        self.channels, self._channels_last_levels = self._layout(image_size)
        self._build()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the levels [(B, C_i, H / stride_i, W / stride_i)] of images (B, 3, H, W) in [0, 1]."""
        levels = super().forward(images)
        return [level.permute(0, 3, 1, 2) for level in levels] if self._channels_last_levels else levels

    def _create(self, **options: Any) -> nn.Module:
        net = super()._create(**options)
        _drop_unused_blocks(net)
        return net

    def _layout(self, image_size: int) -> tuple[list[int], bool]:
        """Return the levels' channels and whether they come as (B, H, W, C)."""
        net, shapes = self._probe(image_size)
        channels = list(net.feature_info.channels())
        sides = [image_size // stride for stride in self.strides]
        for last, expected in (
            (False, [(c, side, side) for c, side in zip(channels, sides, strict=True)]),
            (True, [(side, side, c) for c, side in zip(channels, sides, strict=True)]),
        ):
            if shapes == expected:
                return channels, last
        raise InputError(
            f"the backbone {self.name!r} gives levels {shapes} at {image_size} pixels, not of sides {sides}"
        )


def _feature_options(name: str, strides: list[int], image_size: int) -> dict[str, Any]:
    """Return timm's options that give the levels at ``strides`` for images of ``image_size``."""
    import timm

    try:
        with torch.device("meta"):
            probe: Any = timm.create_model(name, pretrained=False, features_only=True)
    except Exception as error:  # timm raises whatever the family's builder raises
        raise InputError(f"the backbone {name!r} gives no feature levels: {reason(error)}") from None
    reductions = list(probe.feature_info.reduction())
    if missing := [stride for stride in strides if stride not in reductions]:
        raise InputError(f"the backbone {name!r} has features at strides {reductions}, not at {missing}")
    options: dict[str, Any] = {"out_indices": [reductions.index(stride) for stride in strides]}
    if probe.pretrained_cfg.get("fixed_input_size"):
        options["img_size"] = image_size
    return options


def _drop_unused_blocks(net: nn.Module) -> None:
    """Cut the stages after the last wanted level, which timm keeps and runs in the EfficientNet family."""
    from timm.models.efficientnet import EfficientNetFeatures
    from timm.models.mobilenetv3 import MobileNetV3Features

    if isinstance(net, EfficientNetFeatures | MobileNetV3Features):
        last = max(cast(list[int], cast(Any, net).feature_info.get(key="stage")))
        net.blocks = net.blocks[:last]
