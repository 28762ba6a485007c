"""Where a run's pixels come from: the files, the pixel cache, or the GPU's own memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from benchmark.config import RunConfig
from benchmark.datasets.batches import (
    DecodedRows,
    LoadedPixels,
    PixelRows,
    PixelSource,
    ResidentPixels,
)
from benchmark.datasets.cache import CachedRows, OnImages, cache_of
from benchmark.datasets.loading import loader_workers
from benchmark.datasets.places import cache_home
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.training.processes import from_first, is_first
from cocoad.base.errors import ResourceError, unusable

RESIDENT_SHARE = 0.5  # of the GPU's free memory that a training set may take


class RunPixels:
    """The images of a run's dataset, each read in the fastest way that there is room for.

    Args:
        config: of the run.
        dataset: its samples.
        parts: what the method sees of those that the run needs.
        warn: hears why there is no cache.
        on_images: (done, of how many) while the cache is filled.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: AnomalyDataset,
        parts: Sequence[Sample],
        warn: Callable[[str], None],
        on_images: OnImages,
    ) -> None:
        self.config, self.workers = config, loader_workers(config.workers)
        self._cache = None
        if config.use_cache:
            images = dataset.train + dataset.calibration + dataset.test
            self._cache = cache_of(config.dataset, images, config.image_size, cache_home(config.cache))
            problem = from_first(self._fill(parts, on_images) if is_first() else None)
            if problem is not None:
                warn(f"{problem}; images are decoded each time they are needed")
                self._cache = None

    def _fill(self, samples: Sequence[Sample], on_images: OnImages) -> str | None:
        assert self._cache is not None
        try:
            self._cache.fill(samples, self.workers, on_images)
        except ResourceError as error:
            return str(error)
        except OSError as error:
            return str(unusable(self._cache.directory, error))
        return None

    def rows(self, samples: Sequence[Sample]) -> PixelRows:
        """Return the pixels of ``samples``, images or tiles."""
        if self._cache is None:
            return DecodedRows(samples, self.config.image_size)
        return CachedRows(self._cache, samples)

    def source(self, samples: Sequence[Sample], device: torch.device) -> PixelSource:
        """Return what trains from ``samples``."""
        rows = self.rows(samples)
        if self._cache is not None and device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if len(samples) * self._cache.row_bytes < RESIDENT_SHARE * free:
                return ResidentPixels(rows, device)
        workers = 0 if self._cache is not None and device.type == "cpu" else self.workers
        return LoadedPixels(rows, workers, device)
