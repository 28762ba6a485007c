"""What is kept of the pixels: the scores themselves while they are few, counts per bin from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.metrics.counts import ScoreCounts, condensed_counts, counts_from_bins, counts_from_scores
from benchmark.metrics.histogram import ANOMALOUS, NORMAL, OVERLAP, Histogram, total
from benchmark.metrics.inputs import Batch
from benchmark.metrics.keys import FINEST_BITS, FloatArray, count_bins
from benchmark.metrics.regions import Regions, region_weights
from benchmark.metrics.thresholds import places_of_thresholds

KEPT_PIXELS = 1 << 22  # 64 maps of 256×256: up to here the streaming mode is exact
STATE_BYTES = 128 << 20  # all histograms together; beyond it their resolution is halved

NORMAL_IMAGES, ANOMALOUS_IMAGES, GROUP = "normal", "anomalous", "group"


class Cell(NamedTuple):
    """Images whose pixels are counted together: a class's normal, its anomalous ones, or a group's."""

    class_name: str
    kind: str
    group: str = ""


class KeptPixels(NamedTuple):
    """The scores of one image: normal, anomalous, and the latter's region weights (all flat)."""

    normal: npt.NDArray[Any]
    anomalous: npt.NDArray[Any]
    weights: FloatArray


class PixelStore:
    """Pixels of all images, in at most ``STATE_BYTES`` however many there are (unless ``keep_scores``)."""

    def __init__(self, keep_scores: bool = False) -> None:
        self.keep_scores = keep_scores
        self.kept: (
            list[tuple[tuple[Cell, ...], KeptPixels]] | None
        ) = []  # None: they were spilled into the bins
        self.bits = FINEST_BITS
        self.bins: dict[Cell, Histogram] = {}
        self._ordered: dict[Cell, FloatArray] = {}  # normal scores of cells, ascending, until more come

    @property
    def nbytes(self) -> int:
        """Bytes that the pixels take."""
        kept = sum(array.nbytes for _, pixels in self.kept or () for array in pixels)
        return kept + sum(histogram.nbytes for histogram in self.bins.values())

    def add(self, batch: Batch) -> list[int]:
        """Add a batch; return the number of regions of each image."""
        found = [region_weights(mask) for mask in batch.masks]
        anomalous = [
            bool(label) or regions > 0 for label, (_, _, regions) in zip(batch.labels, found, strict=True)
        ]
        cells = [
            _cells(name, bad, groups)
            for name, bad, groups in zip(batch.classes, anomalous, batch.groups, strict=True)
        ]
        self._ordered.clear()
        if self.kept is not None:
            for image, (indices, weights, _) in enumerate(found):
                row = batch.on_cpu(image)
                self.kept.append((cells[image], KeptPixels(np.delete(row, indices), row[indices], weights)))
            self._spill_if_many()
        else:
            self._bin(batch, found, cells)
        return [regions for _, _, regions in found]

    def _bin(self, batch: Batch, found: Sequence[Regions], cells: Sequence[tuple[Cell, ...]]) -> None:
        """Count all pixels of the images of the same cells as normal, then move the anomalous ones, which are few."""
        taken = batch.take([where for where, *_ in found])
        for owners, images in _by_owners(cells).items():
            rows = batch.scores if len(images) == len(cells) else batch.scores[images]
            self._count(owners, NORMAL, rows.reshape(-1))
            anomalous = np.concatenate([taken[image] for image in images])
            if anomalous.size:
                weights = np.concatenate([found[image][1] for image in images])
                self._count(owners, ANOMALOUS, anomalous, instead_of=NORMAL)
                self._count(owners, OVERLAP, anomalous, weights)
        self._fit()

    def _count(
        self,
        owners: Iterable[Cell],
        row: int,
        scores: Any,
        weights: FloatArray | None = None,
        instead_of: int | None = None,
    ) -> None:
        """Count scores once, and add the counts to every cell that they belong to: to a row, ``instead_of`` another."""
        histograms = [self.bins.setdefault(cell, Histogram(self.bits)) for cell in owners]
        for numbers, amounts in count_bins(scores, self.bits, weights):
            for histogram in histograms:
                histogram.add(row, numbers, amounts)
                if instead_of is not None:
                    histogram.add(instead_of, numbers, -amounts)

    def merge(self, other: PixelStore) -> None:
        """Add another store's pixels; ``other`` may have its scores binned by that."""
        self._ordered.clear()
        if self.kept is not None and other.kept is not None:
            self.kept += other.kept
            self._spill_if_many()
            return
        self._spill()
        other._spill()
        while self.bits > other.bits:
            self._coarsen()
        while other.bits > self.bits:
            other._coarsen()
        for cell, histogram in other.bins.items():
            self.bins.setdefault(cell, Histogram(self.bits)).merge(histogram)
        self._fit()

    def counts(self, cells: Sequence[Cell], regions: int, minimum: float, maximum: float) -> ScoreCounts:
        """Return the counts of the images in ``cells``; the caller knows their regions and extremes."""
        if self.kept is None:
            return self._binned(cells, regions, minimum, maximum)
        parts = self._of(set(cells))
        normal, anomalous, weights = zip(*parts, strict=True) if parts else ((), (), ())
        return counts_from_scores(normal, anomalous, weights, regions)

    def group_counts(
        self, normal: Cell, group: Cell, regions: int, minimum: float, maximum: float
    ) -> ScoreCounts:
        """Return counts for the metrics of a class's ``normal`` images and a group's: with few entries."""
        if self.kept is None:
            return self._binned((normal, group), regions, minimum, maximum)
        if normal not in self._ordered:  # once for all groups
            self._ordered[normal] = _ascending(pixels.normal for pixels in self._of({normal}))
        anomalous = self._of({group})
        return condensed_counts(
            [self._ordered[normal], _ascending(pixels.normal for pixels in anomalous)],
            [pixels.anomalous for pixels in anomalous],
            [pixels.weights for pixels in anomalous],
            regions,
            (minimum, maximum),
            lambda scores: places_of_thresholds(scores, minimum, maximum),
        )

    def _of(self, cells: Set[Cell]) -> list[KeptPixels]:
        """Return the kept pixels of the images in ``cells``, each once."""
        return [pixels for owners, pixels in self.kept or () if not cells.isdisjoint(owners)]

    def _binned(self, cells: Iterable[Cell], regions: int, minimum: float, maximum: float) -> ScoreCounts:
        histogram = total((self.bins[cell] for cell in cells if cell in self.bins), self.bits)
        return counts_from_bins(histogram, regions, minimum, maximum)

    def _spill_if_many(self) -> None:
        if (
            not self.keep_scores
            and sum(p.normal.size + p.anomalous.size for _, p in self.kept or ()) > KEPT_PIXELS
        ):
            self._spill()

    def _spill(self) -> None:
        kept = self.kept or []
        for owners, images in _by_owners([cells for cells, _ in kept]).items():
            normal, anomalous, weights = (
                np.concatenate(parts) for parts in zip(*(kept[image][1] for image in images), strict=True)
            )
            if normal.size:
                self._count(owners, NORMAL, normal)
            if anomalous.size:
                self._count(owners, ANOMALOUS, anomalous)
                self._count(owners, OVERLAP, anomalous, weights)
        self.kept = None
        self._fit()

    def _fit(self) -> None:
        while sum(histogram.nbytes for histogram in self.bins.values()) > STATE_BYTES:
            self._coarsen()

    def _coarsen(self) -> None:
        for histogram in self.bins.values():
            histogram.coarsen()
        self.bits -= 1


def _cells(class_name: str, anomalous: bool, groups: Iterable[str]) -> tuple[Cell, ...]:
    if not anomalous:
        return (Cell(class_name, NORMAL_IMAGES),)
    return (Cell(class_name, ANOMALOUS_IMAGES), *(Cell(class_name, GROUP, group) for group in groups))


def _by_owners(cells: Sequence[tuple[Cell, ...]]) -> Mapping[tuple[Cell, ...], list[int]]:
    images: dict[tuple[Cell, ...], list[int]] = {}
    for image, owners in enumerate(cells):
        images.setdefault(owners, []).append(image)
    return images


def _ascending(parts: Iterable[npt.NDArray[Any]]) -> FloatArray:
    return np.sort(np.concatenate([np.zeros(0), *parts]))
