"""Images on their way to a method: batches of uint8 pixels, decoded by workers, read from a cache, or resident.

All three sources give the same bytes for the same images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmark.datasets.images import load_image
from benchmark.datasets.samples import Sample
from cocoad.base.errors import CocoadError

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]


def loader_workers(wanted: int | None) -> int:
    """Return how many processes decode: as wanted, else one for each core but one, at most 8."""
    return wanted if wanted is not None else min(8, len(os.sched_getaffinity(0)) - 1)


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
    """The images' files, decoded and resized each time."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples, self.size = samples, size

    def __len__(self) -> int:
        return len(self.samples)

    def rows(self, indices: Sequence[int]) -> Pixels:
        """Return uint8 (B, size, size, 3), RGB."""
        return np.stack([load_image(self.samples[index].image, self.size) for index in indices])


class LoadedPixels:
    """Rows that loader processes fetch ahead of the training (with ``workers`` 0: in between)."""

    def __init__(self, rows: PixelRows, workers: int, device: torch.device) -> None:
        self._rows, self.workers, self.device = rows, workers, device

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, order: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield, for each list of indices, uint8 (B, 3, size, size) on the source's device."""
        pin = self.device.type == "cuda"
        for pixels in loaded(self._fetch, order, self.workers, pin):
            yield pixels.to(self.device, non_blocking=pin)

    def _fetch(self, indices: Sequence[int]) -> Tensor:
        return torch.from_numpy(self._rows.rows(indices)).permute(0, 3, 1, 2)


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


def loaded(
    fetch: Callable[[Sequence[int]], T], order: Iterable[Sequence[int]], workers: int, pin: bool = False
) -> Iterator[T]:
    """Yield ``fetch(indices)`` for each list of indices, in order, fetched ahead by ``workers`` processes.

    An expected error (:class:`~cocoad.base.errors.CocoadError`) in a worker is raised here as it is.
    """
    loader: DataLoader[Any] = DataLoader(
        _Fetched(fetch),
        batch_sampler=order,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_as_it_is,
        pin_memory=pin,
        generator=torch.Generator(),  # else each epoch would draw from the training's own
    )
    for result in loader:
        if isinstance(result, CocoadError):
            raise result
        yield result


class _Fetched(Dataset[Any], Generic[T]):
    def __init__(self, fetch: Callable[[Sequence[int]], T]) -> None:
        self.fetch = fetch

    def __getitems__(self, indices: list[int]) -> T | CocoadError:
        try:
            return self.fetch(indices)
        except CocoadError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch
