"""A frozen plain vision transformer from timm: the patch tokens after chosen blocks."""

from __future__ import annotations

from typing import Any

import torch

from benchmark.layers.frozen import FrozenEncoder
from cocoad.base.errors import InputError, reason

QUARTERS = 4


class PlainViT(FrozenEncoder):
    """A plain ViT's levels after a quarter, a half, three quarters and all of its blocks; no final norm.

    Called with images (B, 3, H, W) in [0, 1] it gives four levels (B, ``width``, ``side``, ``side``): patch
    tokens alone, on their grid.

    Args:
        name: a timm ViT of one stride (ViT, DeiT, DINO, CLIP, BEiT, EVA, …), its weights' tag optional.
        image_size: pixels, square, a multiple of the patch; position embeddings are resampled for it.

    Raises:
        InputError: timm has no such model, it is no plain ViT, or it does not take this size.
    """

    def __init__(self, name: str, image_size: int = 256) -> None:
        super().__init__(name)
        depth, self.heads = _anatomy(name)
        self.blocks = [depth * quarter // QUARTERS for quarter in range(1, QUARTERS + 1)]  # counted from 1
        self._options = {"out_indices": [block - 1 for block in self.blocks], "img_size": image_size}
        net, shapes = self._probe(image_size)
        self.width, self.side, _ = shapes[0]
        if set(shapes) != {(self.width, self.side, self.side)}:
            raise InputError(f"the backbone {name!r} is no plain ViT: its levels are {shapes}")
        patch = net.feature_info.reduction()[0]
        if self.side * patch != image_size:
            raise InputError(
                f"the backbone {name!r} takes image sizes divisible by {patch}, not {image_size}"
            )
        self._build()


def _anatomy(name: str) -> tuple[int, int]:
    """Return a plain ViT's numbers of blocks and of attention heads."""
    import timm

    try:
        with torch.device("meta"):
            net: Any = timm.create_model(name, pretrained=False)
    except Exception as error:  # timm raises whatever the family's builder raises
        raise InputError(f"the backbone {name!r} cannot be built: {reason(error)}") from None
    try:
        depth, heads = len(net.blocks), int(net.blocks[0].attn.num_heads)
    except (AttributeError, TypeError, IndexError):
        raise InputError(f"the backbone {name!r} is no plain ViT: give one, or a method for CNNs") from None
    if depth < QUARTERS:
        raise InputError(f"the backbone {name!r} has {depth} blocks: a ViT of {QUARTERS} at least is needed")
    return depth, heads
