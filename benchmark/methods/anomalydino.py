"""AnomalyDINO: the cosine distance to the nearest of all normal patches."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import resized_maps, top_share_scores, upsampled_map
from benchmark.layers.nearest import highest_products
from benchmark.layers.plain_vit import PlainViT, last
from benchmark.methods.base import OnePassMethod
from benchmark.methods.facts import ANOMALY_DINO
from cocoad.base.errors import InputError

BANK = "bank_"  # and a number: the buffers that make the memory bank
BLOCK = 1 << 18  # patches in each of them but the last


class AnomalyDINO(OnePassMethod):
    """Nearest-neighbour distance of a ViT's final patch tokens to those of all training images.

    The paper's full-shot setting, with neither masks nor rotations: nothing is left out of the memory bank, and the
    search is exact. The bank is float16, in blocks that are never copied: 384 channels · 2 bytes a patch with the
    small ViT, 249 kB an image at 252 pixels, 7.6 to 19.7 GB on COCO-AD. Queries are rounded to float16 too; products
    are summed in float32.

    Args:
        image_size: pixels, square, a multiple of the encoder's patch.
        backbone: a timm plain ViT.

    Raises:
        InputError: size or backbone do not serve.
    """

    facts: ClassVar[Facts] = ANOMALY_DINO

    def __init__(self, image_size: int = 252, backbone: str | None = None) -> None:
        super().__init__()
        name = backbone or str(self.facts.default_backbone)
        self.backbone = PlainViT(name, image_size, last, norm=True)
        self._used = 0  # rows of the last block that are filled

    @property
    def bank(self) -> list[Tensor]:
        """The patches of all training images: unit vectors, float16 [(M, C)]."""
        *full, filling = self._blocks() or [torch.zeros(0, self.backbone.width)]
        return [*full, filling[: self._used]] if self._used else full

    def _blocks(self) -> list[Tensor]:
        return [block for name, block in self.named_buffers(recurse=False) if name.startswith(BANK)]

    def fit_batch(self, images: Tensor) -> None:
        """Take in the images' patches."""
        found = self._tokens(images).flatten(0, 1)
        while len(found):
            blocks = self._blocks()
            if not blocks or self._used == len(blocks[-1]):
                self.register_buffer(f"{BANK}{len(blocks)}", found.new_empty(BLOCK, found.shape[1]))
                blocks, self._used = self._blocks(), 0
            part = found[: BLOCK - self._used]
            blocks[-1][self._used : self._used + len(part)] = part
            self._used += len(part)
            found = found[len(part) :]

    def fit_end(self, generator: torch.Generator) -> None:
        """Cut the last block to what it holds."""
        if blocks := self._blocks():
            self.register_buffer(f"{BANK}{len(blocks) - 1}", blocks[-1][: self._used].clone())

    def predict(self, images: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the maps (B, H, W), and the mean (B,) of the highest hundredth of the patches' distances.

        With a ``size`` the maps are (B, size, size); the scores are the same.
        """
        distances = self.distances(images)
        side = self.backbone.side
        maps = upsampled_map(distances.reshape(-1, side, side), images.shape[-2:])
        if size is not None:
            maps = resized_maps(maps, size)
        return maps, top_share_scores(distances)

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the patches' distances, upsampled and blurred (B, H, W)."""
        return self.predict(images)[0]

    def distances(self, images: Tensor) -> Tensor:
        """Return each patch's 1 − cosine (B, N) to the nearest of the bank."""
        bank = self.bank
        if not bank:
            raise InputError("AnomalyDINO has an empty memory bank: it was not trained")
        return (1 - highest_products(self._tokens(images), bank)).clamp_min(0)

    def _tokens(self, images: Tensor) -> Tensor:
        """Return the images' patches, unit vectors, float16 (B, N, C)."""
        tokens = self.backbone.tokens(images)[0][:, self.backbone.special :]
        return F.normalize(tokens.float(), dim=2).half()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take a bank of any number of blocks."""
        for number in range(len(self._blocks())):
            delattr(self, f"{BANK}{number}")
        stored = [name.removeprefix(prefix) for name in state_dict if name.startswith(prefix + BANK)]
        for name in stored:
            self.register_buffer(
                name, self.backbone.mean.new_empty(state_dict[prefix + name].shape, dtype=torch.half)
            )
        self._used = len(self._blocks()[-1]) if stored else 0
        super()._load_from_state_dict(state_dict, prefix, *rest)
