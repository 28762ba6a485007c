"""Sparse histograms over float keys: what the streaming mode keeps instead of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.metrics.keys import EXPONENT_BITS, FINEST_BITS, FloatArray

NORMAL, ANOMALOUS, OVERLAP = range(3)
ROWS = 3


class Histogram:
    """Per bin: how many normal and anomalous pixels, and the sum of the anomalous ones' region weights.

    A page holds the bins of one sign and exponent, (3, 2^(bits - 9)) float64 (whole numbers stay exact up to
    2⁵³), and exists only once a score fell into it: natural maps touch some 10 to 25 of the 512 pages.
    """

    def __init__(self, bits: int = FINEST_BITS) -> None:
        self.bits = bits
        self.pages: dict[int, FloatArray] = {}

    @property
    def page_size(self) -> int:
        """Bins per page."""
        return 1 << (self.bits - EXPONENT_BITS)

    @property
    def nbytes(self) -> int:
        """Bytes of all pages."""
        return len(self.pages) * ROWS * self.page_size * 8

    def add(self, row: int, numbers: npt.NDArray[np.int64], amounts: npt.NDArray[Any]) -> None:
        """Add ``amounts`` (P, bins) to the pages ``numbers``; ``row`` is NORMAL, ANOMALOUS or OVERLAP."""
        for number, amount in zip(numbers.tolist(), amounts, strict=True):
            if amount.any():
                page = self.pages.get(number)
                if page is None:
                    page = self.pages[number] = np.zeros((ROWS, self.page_size))
                page[row] += amount

    def merge(self, other: Histogram) -> None:
        """Add another histogram of the same resolution to this one."""
        for number, page in other.pages.items():
            mine = self.pages.get(number)
            if mine is None:
                self.pages[number] = page.copy()
            else:
                mine += page

    def coarsen(self) -> None:
        """Halve the resolution: two neighbouring bins become one."""
        self.pages = {number: page.reshape(ROWS, -1, 2).sum(axis=2) for number, page in self.pages.items()}
        self.bits -= 1

    def occupied(self) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return the numbers of the bins that hold anything, ascending, and their contents (3, bins)."""
        if not self.pages:
            return np.zeros(0, np.int64), np.zeros((ROWS, 0))
        numbers = sorted(self.pages)
        contents = np.concatenate([self.pages[number] for number in numbers], axis=1)
        bins = np.concatenate([number * self.page_size + np.arange(self.page_size) for number in numbers])
        filled = contents[: ANOMALOUS + 1].any(axis=0)
        return bins[filled], contents[:, filled]


def total(histograms: Iterable[Histogram], bits: int) -> Histogram:
    """Return the sum of histograms of the same resolution."""
    summed = Histogram(bits)
    for histogram in histograms:
        summed.merge(histogram)
    return summed
