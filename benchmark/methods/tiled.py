"""A method on large images, which it sees tile by tile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.methods.base import Method
from benchmark.tiling import Grid, concatenated


def predict_tiled(
    method: Method, tiles: Tensor, grids: Sequence[Grid], size: int, at_once: int
) -> tuple[Tensor, Tensor]:
    """Return the maps (B, size, size) of B images, stitched, and the scores (B,) that the method gives to these.

    Args:
        method: in eval mode.
        tiles: of all images one after the other, uint8 (N, 3, S, S).
        grids: of each image its tiles.
        size: pixels of the maps.
        at_once: tiles in one pass.
    """
    device = next(iter([*method.parameters(), *method.buffers()])).device
    maps = np.concatenate(
        [
            method.anomaly_maps(some.to(device).float() / 255).float().cpu().numpy()
            for some in torch.split(tiles, at_once)
        ]
    )
    stitched = [
        grid.stitched(maps[some], size) for grid, some in zip(grids, concatenated(grids), strict=True)
    ]
    whole = torch.from_numpy(np.stack(stitched))
    return whole, method.image_scores(whole)
