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

EXPONENT_BITS = 9  # sign and exponent
FINEST_BITS = 22  # 2¹³ bins per power of two
MANY_PAGES = 32
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


def count_bins(
    values: Any, bits: int, weights: FloatArray | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Count finite ``values`` per bin, or sum their ``weights``.

    Args:
        values: at least one float32, flat; a NumPy array, or (without weights) a torch tensor, which is
            counted on its device.
        bits: how many bits of a key are the bin.
        weights: float64, the shape of ``values``.

    Returns:
        Numbers of pages (P,), a page being the bins of one sign and exponent, and their counts
        (int64, or float64 sums, (P, 2^(bits - 9))). Pages without any value may be among them.

    >>> pages, counts = count_bins(np.array([1.0, 1.0, 1.5, 2.0], np.float32), 10)
    >>> pages.tolist(), counts.tolist()
    ([127, 128], [[2, 1], [1, 0]])
    """
    size = 1 << (bits - EXPONENT_BITS)
    if not isinstance(values, np.ndarray):
        first, counts = _count_bins_on_device(values, bits)
        first_page, before = divmod(first, size)
        pages = np.pad(counts, (before, -(before + counts.size) % size)).reshape(-1, size)
        return first_page + np.arange(len(pages)), pages
    integers = values.view(np.int32)
    signed = int(integers.min()) < 0
    bins = (integers & np.int32(LOWER_BITS) if signed else integers) >> (32 - bits)  # of the magnitude
    first_page, last_page = int(bins.min()) // size, int(bins.max()) // size
    bins -= first_page * size
    numbers = np.arange(first_page, last_page + 1)
    if numbers.size > MANY_PAGES:  # as where exact zeros lie far below the rest: leave out the empty ones
        own = bins >> (bits - EXPONENT_BITS)
        occupied = np.bincount(own) > 0
        places = np.cumsum(occupied, dtype=np.int32) - np.int32(1)
        bins = places[own] * size + (bins & (size - 1))
        numbers = numbers[occupied]
    if not signed:
        return numbers, np.bincount(bins, weights, numbers.size * size).reshape(-1, size)
    bins += (integers >> 31) & np.int32(numbers.size * size)  # negative ones behind all others
    both = np.bincount(bins, weights, 2 * numbers.size * size).reshape(2, -1, size)
    if numbers[0] == 0:  # -0.0 is 0.0
        both[0, 0, 0] += both[1, 0, 0]
        both[1, 0, 0] = 0
    # A negative number's key is the complement of its magnitude's: pages and bins run backwards.
    return np.concatenate([~numbers[::-1], numbers]), np.concatenate([both[1, ::-1, ::-1], both[0]])


def _count_bins_on_device(values: Any, bits: int) -> tuple[int, npt.NDArray[Any]]:
    torch = sys.modules["torch"]
    integers = (values + 0.0).view(torch.int32)
    bins = (integers ^ ((integers >> 31) & LOWER_BITS)) >> (32 - bits)
    bins = torch.where(bins == -1, 0, bins)  # negative subnormals count as 0, as positive ones do
    first = int(bins.min())
    counts: npt.NDArray[Any] = torch.bincount(bins - first).cpu().numpy()
    return first, counts
