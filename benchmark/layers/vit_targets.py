"""What Dinomaly and its descendants reconstruct: a ViT's middle blocks, in two groups."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from benchmark.layers.plain_vit import PlainViT
from benchmark.layers.tokens import group_means

TARGETS = 8  # blocks whose outputs are reconstructed
GROUPS = 2
FIRST = (
    2  # of the targets in a ViT of 12 blocks, counted from 0; twice as deep, twice as late and every other
)
STEP_DEPTH = 12


def target_blocks(depth: int) -> list[int]:
    """Return the targets among a ViT's ``depth`` blocks, counted from 1: 3 … 10 of 12, 5, 7 … 19 of 24."""
    step = max(1, depth // STEP_DEPTH)
    return [step * (FIRST + index) + 1 for index in range(TARGETS)]


def decoded_groups(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the groups (B, N, C) of a decoder's outputs, whose last reconstructs the first target."""
    return group_means(outputs[::-1], GROUPS)


def encoder_of_targets(name: str, image_size: int) -> PlainViT:
    """Return a ViT that gives the targets.

    Raises:
        InputError: it is no plain ViT of 10 blocks or more, or does not take the size.
    """
    return PlainViT(name, image_size, target_blocks)
