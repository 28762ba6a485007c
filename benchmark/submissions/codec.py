"""Anomaly maps as small grids of few levels, made so that the metrics hardly move.

A map (S, S) becomes a grid (n, n) of whole numbers: fitted to the decoder, since area means would not give the map
back; on a logarithmic curve, since the upper tail, which most metrics live on, would get few levels of a linear
one; and beside it the map's exact extremes, on which the published dialect hinges. The decoder enlarges the grid
bicubically, which restores a continuum of scores where few levels would tie. It is plain IEEE arithmetic, one
operation at a time, so that the same files give the same maps to the last bit on any machine.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

FloatArray = npt.NDArray[np.float32]
GridArray = npt.NDArray[np.integer[Any]]  # uint8, or uint16 of more than 8 bits
Bits = Literal[8, 12]

SIZES = (64, 128, 256)
MOST_SIDE = 256
ROUNDS = 6  # of fitting
SAMPLED = 1 << 20  # values that the median is taken of
CUBIC = -0.75  # the kernel's parameter a, as of OpenCV and torch


class Codec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a split's grids become maps: ``floor + scale · expm1(level · step)``, enlarged, cut to each map's extremes.

    ``floor`` and ``scale`` are in the maps' own units, ``step`` has none.
    """

    size: Annotated[int, Meta(ge=1, le=MOST_SIDE)]  # of a grid, square
    bits: Bits
    floor: float
    scale: float
    step: float
    curve: Literal["log"] = "log"
    enlarged: Literal["bicubic"] = "bicubic"
    extremes: Literal["exact"] = "exact"

    @property
    def highest(self) -> int:
        """The highest level; the lowest is 0."""
        return (1 << self.bits) - 1

    def values(self) -> FloatArray:
        """Return the value of each level, ascending (2^bits,)."""
        levels = np.arange(self.highest + 1)
        found: FloatArray = (self.floor + self.scale * np.expm1(levels * self.step)).astype(np.float32)
        return found


def fitted(maps: FloatArray, size: int) -> FloatArray:
    """Return the grids (B, n, n) that give maps (B, S, S) back best; n = S leaves them as they are.

    The grids are the maps' area means c, six times corrected by what the decoder misses:
    c ← c + mean(m − enlarged(c)). What falls below a map's minimum beside a steep peak is lifted to it: the decoder
    cuts it off there anyhow, and the levels would have to reach down to it, past nearly all that a map holds.
    """
    if maps.shape[1] == size:
        return maps
    grids = _means(maps, size)
    for _ in range(ROUNDS):
        grids = grids + _means(maps - enlarged(grids, maps.shape[1]), size)
    lifted: FloatArray = np.maximum(grids, maps.min(axis=(1, 2), keepdims=True))
    return lifted


def chosen_codec(grids: FloatArray, map_size: int) -> Codec:
    """Return the codec for all grids of a split (N, n, n): its levels reach from their smallest to their largest value.

    The curve bends at the median's distance from the smallest value, so that half of the values lie on its nearly
    linear part whatever the tail. Grids as large as the maps, which no interpolation tells apart where levels tie,
    get 12 bits, others 8.
    """
    size = grids.shape[1]
    floor = float(grids.min())
    sampled = grids.reshape(-1)[:: max(1, grids.size // SAMPLED)].astype(np.float64) - floor
    positive = sampled[sampled > 0]
    bend = float(np.median(sampled)) or (float(np.median(positive)) if positive.size else 1.0)
    bits: Bits = 12 if size == map_size else 8
    step = float(np.log1p((float(grids.max()) - floor) / bend)) / ((1 << bits) - 1)
    return Codec(size, bits, floor, bend, step)


def quantised(grids: FloatArray, codec: Codec) -> GridArray:
    """Return the levels of grids, of the same shape; uint8, or uint16 of more than 8 bits."""
    kind = np.uint8 if codec.bits == 8 else np.uint16
    if not codec.step:
        return np.zeros(grids.shape, kind)
    levels = np.log1p((grids.astype(np.float64) - codec.floor) / codec.scale) / codec.step
    return np.rint(levels).clip(0, codec.highest).astype(kind)


def decoded(grids: GridArray, codec: Codec, minima: FloatArray, maxima: FloatArray, size: int) -> FloatArray:
    """Return the maps (B, S, S) of grids (B, n, n) and of the maps' exact extremes (B,).

    Values are cut to the extremes, and the smallest and the largest pixel set to them.
    """
    maps = enlarged(codec.values()[grids], size)
    np.clip(maps, minima[:, None, None], maxima[:, None, None], out=maps)
    flat = maps.reshape(len(maps), -1)
    rows = np.arange(len(maps))
    lowest, highest = flat.argmin(axis=1), flat.argmax(axis=1)
    highest[highest == lowest] = flat.shape[1] - 1  # of a map whose every pixel has come to the same
    flat[rows, lowest] = minima
    flat[rows, highest] = maxima
    return maps


def enlarged(grids: FloatArray, size: int) -> FloatArray:
    """Enlarge grids (B, n, n) bicubically to (B, S, S): half-pixel centres, edges repeated; n = S is a copy."""
    if grids.shape[1] == size:
        return grids.copy()
    places, weights = _taps(grids.shape[1], size)
    return (
        _along_rows(_along_rows(grids, places, weights).swapaxes(1, 2), places, weights).swapaxes(1, 2).copy()
    )


def _along_rows(grids: FloatArray, places: npt.NDArray[np.intp], weights: FloatArray) -> FloatArray:
    """Interpolate along the second dimension; sums in a fixed order, an operation at a time."""
    total: FloatArray = np.take(grids, places[0], axis=1) * weights[0][:, None]
    for place, weight in zip(places[1:], weights[1:], strict=True):
        total += np.take(grids, place, axis=1) * weight[:, None]
    return total


def _taps(small: int, large: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return for each of ``large`` places its four neighbours among ``small`` ones and their weights, (4, large)."""
    centres = (np.arange(large) + 0.5) * (small / large) - 0.5
    first = np.floor(centres).astype(np.intp) - 1
    places = first + np.arange(4)[:, None]
    distances = np.abs(centres - places)
    near = ((CUBIC + 2) * distances - (CUBIC + 3)) * distances**2 + 1
    far = ((distances - 5) * distances + 8) * distances * CUBIC - 4 * CUBIC
    weights = np.where(distances <= 1, near, far).astype(np.float32)
    return places.clip(0, small - 1), weights


def _means(maps: FloatArray, size: int) -> FloatArray:
    return np.stack([cv2.resize(one, (size, size), interpolation=cv2.INTER_AREA) for one in maps])
