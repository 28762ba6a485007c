"""A frozen plain vision transformer from timm: the tokens after chosen blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from benchmark.layers.frozen import FrozenEncoder
from cocoad.base.errors import InputError, reason

QUARTERS = 4


def quarters(depth: int) -> list[int]:
    """Return the blocks, counted from 1, at which a quarter, a half, three quarters and all of ``depth`` are done."""
    return [depth * quarter // QUARTERS for quarter in range(1, QUARTERS + 1)]


def last(depth: int) -> list[int]:
    """Return the last block, counted from 1."""
    return [depth]


class PlainViT(FrozenEncoder):
    """A plain ViT's tokens after chosen blocks; it is not run, and not built, beyond the last of them.

    Called with images (B, 3, H, W) in [0, 1] it gives levels (B, ``width``, ``side``, ``side``): patch tokens
    alone, on their grid. :meth:`tokens` keeps the class and register tokens.

    Args:
        name: a timm ViT of one stride (ViT, DeiT, DINO, CLIP, BEiT, EVA, …), its weights' tag optional.
        image_size: pixels, square, a multiple of the patch; position embeddings are resampled for it.
        blocks: says of a ViT's depth whose outputs are wanted, counted from 1, ascending.
        norm: apply the network's final norm to each output.

    Attributes:
        blocks: those whose outputs are given, counted from 1.
        depth: the network's blocks, built or not.
        width: channels of a token.
        side: of the grid of patches.
        heads: of its attention.
        special: class and register tokens; the class token comes first where ``class_token`` says there is one.

    Raises:
        InputError: timm has no such model, it is no plain ViT, has no such block or does not take this size.
    """

    def __init__(
        self,
        name: str,
        image_size: int = 256,
        blocks: Callable[[int], Sequence[int]] = quarters,
        norm: bool = False,
    ) -> None:
        super().__init__(name)
        self.depth, self.heads = _anatomy(name)
        self.blocks = list(blocks(self.depth))
        if not 1 <= self.blocks[0] <= self.blocks[-1] <= self.depth:
            least = next(
                depth for depth in range(1, 100) if 1 <= blocks(depth)[0] <= blocks(depth)[-1] <= depth
            )
            raise InputError(
                f"the backbone {name!r} has {self.depth} blocks: a ViT of {least} at least is needed"
            )
        self.norm = norm
        self._options = {"out_indices": [block - 1 for block in self.blocks], "img_size": image_size}
        if norm:
            from timm.models._features import FeatureGetterNet

            self._options["feature_cls"] = partial(FeatureGetterNet, norm=True)
        net, shapes = self._probe(image_size)
        self.width, self.side, _ = shapes[0]
        if set(shapes) != {(self.width, self.side, self.side)}:
            raise InputError(f"the backbone {name!r} is no plain ViT: its levels are {shapes}")
        self.special = int(net.model.num_prefix_tokens)
        self.class_token = getattr(net.model, "cls_token", None) is not None
        patch = net.feature_info.reduction()[0]
        if self.side * patch != image_size:
            raise InputError(
                f"the backbone {name!r} takes image sizes divisible by {patch}, not {image_size}"
            )
        self._build()

    @torch.no_grad()
    def tokens(self, images: Tensor) -> list[Tensor]:
        """Return the blocks' tokens [(B, ``special`` + ``side``², ``width``)] of images (B, 3, H, W) in [0, 1].

        Class and register tokens come first, then the patches, row by row.
        """
        net: Any = self.net
        outputs = net.model.forward_intermediates(
            self.normalised(images),
            indices=net.out_indices,
            return_prefix_tokens=True,
            norm=self.norm,
            output_fmt="NLC",
            intermediates_only=True,
        )
        if not self.special:
            return list(cast("list[Tensor]", outputs))
        return [torch.cat([special, patches], 1) for patches, special in outputs]


def _anatomy(name: str) -> tuple[int, int]:
    """Return a plain ViT's numbers of blocks and of attention heads."""
    import timm

    try:
        with torch.device("meta"):
            net: Any = timm.create_model(name, pretrained=False)
    except Exception as error:  # timm raises whatever the family's builder raises
        raise InputError(f"the backbone {name!r} cannot be built: {reason(error)}") from None
    try:
        return len(net.blocks), int(net.blocks[0].attn.num_heads)
    except (AttributeError, TypeError, IndexError):
        raise InputError(f"the backbone {name!r} is no plain ViT: give one, or a method for CNNs") from None
