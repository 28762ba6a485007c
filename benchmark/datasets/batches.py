"""Images on their way to a method: batches of uint8 pixels, decoded by workers, read from a cache, or resident.

All three sources give the same bytes for the same images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmark.datasets.images import load_pixels
from benchmark.datasets.loading import loaded
from benchmark.datasets.samples import Sample

Pixels = npt.NDArray[np.uint8]


class PixelRows(Protocol):
    """Rows of pixels, by index: a decoder of files or a cache's memory map."""

    def __len__(self) -> int: ...

    def rows(self, indices: Sequence[int]) -> Pixels:
        """Return uint8 (B, size, size, 3), RGB."""


class PixelSource(Protocol):
    """What training takes its images from."""

    def __len__(self) -> int: ...

    def batches(self, order: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield, for each list of indices, uint8 (B, 3, size, size) on the source's device."""


class DecodedRows:
    """The images' files, or tiles of them, decoded and resized each time."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples, self.size = samples, size

    def __len__(self) -> int:
        return len(self.samples)

    def rows(self, indices: Sequence[int]) -> Pixels:
        """Return uint8 (B, size, size, 3), RGB."""
        samples = [self.samples[index] for index in indices]
        files = groupby(samples, key=lambda sample: (sample.image, sample.bits))
        return np.concatenate(
            [load_pixels(path, self.size, bits, [each.box for each in some]) for (path, bits), some in files]
        )


class LoadedPixels:
    """Rows that loader processes fetch ahead of the training (with ``workers`` 0: in between)."""

    def __init__(self, rows: PixelRows, workers: int, device: torch.device) -> None:
        self._rows, self.workers, self.device = rows, workers, device

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, order: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield, for each list of indices, uint8 (B, 3, size, size) on the source's device."""
        pin = self.device.type == "cuda"
        for rows in loaded(self._rows.rows, order, self.workers):
            pixels = torch.from_numpy(rows)
            yield (
                (pixels.pin_memory() if pin else pixels).to(self.device, non_blocking=pin).permute(0, 3, 1, 2)
            )


class ResidentPixels:
    """All rows at once in the device's memory: nothing is loaded any more."""

    def __init__(self, rows: PixelRows, device: torch.device, chunk: int = 1024) -> None:
        first = torch.from_numpy(rows.rows([0]))
        self.device = device
        self._pixels = torch.empty((len(rows), *first.shape[1:]), dtype=torch.uint8, device=device)
        for start in range(0, len(rows), chunk):
            indices = range(start, min(start + chunk, len(rows)))
            self._pixels[start : indices.stop] = torch.from_numpy(rows.rows(indices)).to(device)

    def __len__(self) -> int:
        return len(self._pixels)

    def batches(self, order: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield, for each list of indices, uint8 (B, 3, size, size) on the source's device."""
        for indices in order:
            yield self._pixels[torch.as_tensor(indices, device=self.device)].permute(0, 3, 1, 2)
