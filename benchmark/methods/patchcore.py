"""PatchCore: the distance to the nearest of a memory bank of normal patches."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import upsampled_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.coreset import greedy_coreset
from benchmark.layers.nearest import nearest_distances
from benchmark.layers.patches import joined_levels
from benchmark.methods.base import OnePassMethod
from benchmark.methods.facts import PATCHCORE
from cocoad.base.errors import InputError


class PatchCore(OnePassMethod):
    """Nearest-neighbour distance of locally averaged mid-level features to a coreset of normal ones.

    The paper's coreset is a share of all patches, which must all be in memory. Here patches stream: as soon as
    ``4 * memory_bank`` have come together they are thinned to ``memory_bank``, so memory does not grow with the
    number of images. With fewer patches than that the coreset is the paper's, of that size. What is
    random in thinning follows from torch's seed.

    Args:
        image_size: pixels, square.
        backbone: a timm model with feature levels at strides 8 and 16.
        memory_bank: patches that are kept.
    """

    facts: ClassVar[Facts] = PATCHCORE

    bank: Tensor

    def __init__(self, image_size: int = 256, backbone: str | None = None, memory_bank: int = 10_000) -> None:
        super().__init__()
        if memory_bank < 1:
            raise InputError(f"PatchCore keeps 1 patch at least, not {memory_bank}")
        self.memory_bank = memory_bank
        self.backbone = Backbone(backbone or str(self.facts.default_backbone), (8, 16), image_size)
        self.register_buffer("bank", torch.zeros(0, sum(self.backbone.channels)))
        self._waiting: list[Tensor] = []

    def _patches(self, images: Tensor) -> Tensor:
        """Return each place's features, averaged over 3×3 neighbours: float32 (B, h·w, C)."""
        levels = [F.avg_pool2d(level.float(), 3, 1, 1) for level in self.backbone(images)]
        return joined_levels(levels).flatten(2).transpose(1, 2)

    def fit_batch(self, images: Tensor) -> None:
        """Collect the images' patches; thin them out when there are too many."""
        self._waiting.append(self._patches(images).flatten(0, 1))
        if len(self.bank) + sum(map(len, self._waiting)) >= 4 * self.memory_bank:
            self._thin(torch.Generator().manual_seed(torch.initial_seed()))

    def fit_end(self, generator: torch.Generator) -> None:
        """Thin out what there is to the memory bank."""
        self._thin(generator)

    def _thin(self, generator: torch.Generator) -> None:
        patches = torch.cat([self.bank, *self._waiting])
        self._waiting = []
        self.bank = patches[greedy_coreset(patches, self.memory_bank, generator)]

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the distances to the nearest kept patch, upsampled and blurred (B, H, W)."""
        if not len(self.bank):
            raise InputError("PatchCore has an empty memory bank: it was not trained")
        side = images.shape[-1] // 8
        distances = nearest_distances(self._patches(images), self.bank)
        return upsampled_map(distances.reshape(-1, side, side), images.shape[-2:])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take a bank of any number of patches."""
        stored = state_dict.get(f"{prefix}bank")
        if isinstance(stored, Tensor) and stored.ndim == 2 and stored.shape[1] == self.bank.shape[1]:
            self.bank = self.bank.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
