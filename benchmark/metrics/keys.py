"""Float32 bit patterns as bin keys: monotone, of a relative resolution, with no score range to know.

An IEEE float's bits, read as a signed integer, grow with the value once the lower 31 bits of negative
numbers are complemented. The top ``bits`` of that key are a bin: one sign bit, eight exponent bits and
``bits - 9`` mantissa bits, so that 22 bits keep a relative resolution of 2⁻¹³.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
# Numbers of pages (P,), and what each of their bins holds (P, bins).
PageCounts = tuple[npt.NDArray[np.int64], npt.NDArray[Any]]

EXPONENT_BITS = 9  # sign and exponent
FINEST_BITS = 22  # 2¹³ bins per power of two
PAGE_SHIFT = 32 - EXPONENT_BITS
# Pages of each sign that are counted at once; what lies below 1/256 of the largest score is counted after them.
WINDOW = 8
CHUNK = 1 << 18  # pixels, so that the temporaries of their counting stay in the cache
LOWER_BITS = 0x7FFFFFFF


def key_to_float(keys: npt.NDArray[np.int64]) -> FloatArray:
    """Return the values (float64, same shape) of ``keys``.

    >>> key_to_float(np.array([~0x40200000, 0, 0x40E00000])).tolist()
    [-2.5, 0.0, 7.0]
    """
    integers = keys.astype(np.int32)
    integers ^= (integers >> 31) & np.int32(LOWER_BITS)
    return integers.view(np.float32).astype(np.float64)


def bin_edges(bins: npt.NDArray[np.int64], bits: int) -> tuple[FloatArray, FloatArray]:
    """Return where each bin starts and where the next one does, in scores (float64, the shape of ``bins``).

    The bin that starts at zero is the point 0: many maps have exact zeros, and a threshold of 0 must not
    split them. What else falls into it is subnormal (below 1.2e-38) and counts as 0.

    >>> low, high = bin_edges(np.array([0, 0x3F800000 >> 12]), 20)
    >>> low.tolist(), high.tolist()
    ([0.0, 1.0], [0.0, 1.00048828125])
    """
    width = 1 << (32 - bits)
    low = key_to_float(bins * width)
    last = key_to_float(bins * width + (width - 1)).astype(np.float32)
    with np.errstate(over="ignore"):  # the last bin ends at infinity
        high = np.nextafter(last, np.float32(np.inf)).astype(np.float64)
    return low, np.where(bins == 0, 0.0, high)


def count_bins(values: Any, bits: int, weights: FloatArray | None = None) -> list[PageCounts]:
    """Count finite ``values`` per bin, or sum their ``weights``.

    Args:
        values: at least one float32, flat; a NumPy array, or (without weights) a torch tensor, which is
            counted on its device.
        bits: how many bits of a key are the bin.
        weights: float64, the shape of ``values``.

    Returns:
        Lists of pages, of which one may be in several: their numbers (P,), a page being the bins of one sign
        and exponent, and their counts (int64, or float64 sums, (P, 2^(bits - 9))), some of them all zero.

    >>> [(pages, counts)] = count_bins(np.array([1.0, 1.0, 1.5, 2.0], np.float32), 10)
    >>> pages.tolist(), counts.tolist()
    ([127, 128], [[2, 1], [1, 0]])
    """
    if not isinstance(values, np.ndarray):
        return _count_on_device(values, bits)
    size = 1 << (bits - EXPONENT_BITS)
    least, most = values.min(), values.max()
    signed = bool(least < 0)
    nearest, farthest = sorted((abs(least), abs(most)))
    lowest = 0 if signed and most > 0 else _page(nearest)
    last = _page(farthest)
    first = max(lowest, last + 1 - WINDOW)
    slots = (last + 1 - first) * size + 1  # the first is for what lies far below
    counts = np.zeros((1 + signed) * slots, np.int64 if weights is None else np.float64)
    below: list[npt.NDArray[np.intp]] = []
    for start in range(0, values.size, CHUNK):
        chosen = slice(start, start + CHUNK)
        integers = values[chosen].view(np.int32)
        places = integers & np.int32(LOWER_BITS)
        places >>= 32 - bits
        places -= first * size - 1
        if lowest < first:
            np.maximum(places, 0, out=places)
            below.append(start + np.flatnonzero(places == 0))
        if signed:  # negative ones behind all others
            places += (integers >> 31) & np.int32(slots)
        counts += np.bincount(places, None if weights is None else weights[chosen], counts.size)
    by_sign = counts.reshape(1 + signed, slots)[:, 1:].reshape(1 + signed, -1, size)
    if signed and first == 0:  # -0.0 is 0.0
        by_sign[0, 0, 0] += by_sign[1, 0, 0]
        by_sign[1, 0, 0] = 0
    numbers = np.arange(first, last + 1)
    found = [(numbers, by_sign[0])]
    if signed:  # A negative number's key is the complement of its magnitude's: pages and bins run backwards.
        found.append((~numbers, by_sign[1, :, ::-1]))
    if below and (far := np.concatenate(below)).size:
        found.append(_count_few(values[far], bits, None if weights is None else weights[far]))
    return found


def _count_few(values: npt.NDArray[np.float32], bits: int, weights: FloatArray | None) -> PageCounts:
    """Count values of any magnitude, on the pages that hold any."""
    bins = _bins((values + np.float32(0)).view(np.int32), bits)
    pages = bins >> (bits - EXPONENT_BITS)
    first, size = int(pages.min()), 1 << (bits - EXPONENT_BITS)
    pages -= first
    occupied = np.bincount(pages) > 0
    places = (np.cumsum(occupied) - 1)[pages] * size + (bins & (size - 1))
    numbers = first + np.flatnonzero(occupied)
    return numbers, np.bincount(places, weights, numbers.size * size).reshape(-1, size)


def _bins(integers: Any, bits: int) -> Any:
    """Return the bins of float32 bit patterns, none of them -0.0; an array or a tensor, as they are."""
    bins = (integers ^ ((integers >> 31) & LOWER_BITS)) >> (32 - bits)
    bins[bins == -1] = 0  # negative subnormals count as 0, as positive ones do
    return bins


def _page(magnitude: np.float32) -> int:
    return int(magnitude.view(np.int32)) >> PAGE_SHIFT


def _count_on_device(values: Any, bits: int) -> list[PageCounts]:
    torch, size = sys.modules["torch"], 1 << (bits - EXPONENT_BITS)
    bins = _bins((values + 0.0).view(torch.int32), bits)
    first = int(bins.min())
    counts: npt.NDArray[Any] = torch.bincount(bins - first).cpu().numpy()
    page, before = divmod(first, size)
    pages = np.pad(counts, (before, -(before + counts.size) % size)).reshape(-1, size)
    return [(np.arange(page, page + len(pages)), pages)]
