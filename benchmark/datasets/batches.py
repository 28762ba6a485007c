"""Samples as torch datasets: decoded and resized by the loader's workers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.datasets.images import load_image, load_mask
from benchmark.datasets.samples import Sample


class TrainImages(Dataset[Tensor]):
    """Images as uint8 (3, size, size)."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples, self.size = samples, size

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(load_image(self.samples[index].image, self.size)).permute(2, 0, 1)


class TestImages(Dataset[tuple[int, Tensor, Tensor]]):
    """Index, image as uint8 (3, size, size) and mask as bool (size, size)."""

    __test__ = False  # not a pytest class

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples, self.size = samples, size
        self.images = TrainImages(samples, size)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[int, Tensor, Tensor]:
        return index, self.images[index], torch.from_numpy(load_mask(self.samples[index].mask, self.size))
