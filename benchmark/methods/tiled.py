"""A method on large images, which it sees tile by tile: the tiles' maps become one again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmark.methods.base import Method
from benchmark.tiling import Grid, concatenated

Floats = npt.NDArray[np.float32]


def predict_tiled(
    method: Method, tiles: Tensor, grids: Sequence[Grid], size: int, at_once: int
) -> tuple[Tensor, Tensor]:
    """Return the maps (B, size, size) of B images, stitched, and the scores (B,) that the method gives to these.

    Args:
        method: in eval mode.
        tiles: of all images one after the other, uint8 (N, 3, S, S), on the method's device.
        grids: of each image its tiles.
        size: pixels of the maps.
        at_once: tiles in one pass.
    """
    parts = [method.anomaly_maps(some.float() / 255).float().cpu() for some in torch.split(tiles, at_once)]
    maps = torch.cat(parts).numpy()
    whole = [
        stitched(grid, maps[places.start : places.stop], size)
        for grid, places in zip(grids, concatenated(grids), strict=True)
    ]
    found = torch.from_numpy(np.stack(whole))
    return found, method.image_scores(found)


def stitched(grid: Grid, maps: Floats, size: int) -> Floats:
    """Return one map (size, size), stretched over the whole image, of the maps (n, S, S) of its tiles.

    Where tiles overlap their values are averaged, each the less the nearer its tile's edge is.
    """
    total: Floats = np.zeros((size, size), np.float32)
    weights: Floats = np.zeros((size, size), np.float32)
    across, down = size / grid.width, size / grid.height
    for one, box in zip(maps, grid.boxes, strict=True):
        left, right = _stretched(box[0], box[2], across, size)
        top, bottom = _stretched(box[1], box[3], down, size)
        patch = cv2.resize(one, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        weight = np.outer(
            _ramp(bottom - top, grid.overlap * down), _ramp(right - left, grid.overlap * across)
        )
        total[top:bottom, left:right] += weight * patch
        weights[top:bottom, left:right] += weight
    return total / weights


def _stretched(start: int, stop: int, factor: float, size: int) -> tuple[int, int]:
    """Return a span of an image's side on a map's; of at least a pixel."""
    first = min(round(start * factor), size - 1)
    return first, max(round(stop * factor), first + 1)


def _ramp(length: int, overlap: float) -> Floats:
    """Return weights (length,) that rise to 1 over ``overlap`` from both ends."""
    inward = np.arange(length, dtype=np.float32) + 0.5
    rising: Floats = np.minimum(inward, inward[::-1]) / max(overlap, 1)
    return np.minimum(rising, 1)
