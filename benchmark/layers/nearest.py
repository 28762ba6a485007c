"""The nearest of many points, exactly, in memory that their number does not decide.

Points are taken in chunks of fixed size and queries all at once: so an exporter sees one graph for any batch.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 2048  # points compared with all queries at a time


def highest_products(queries: Tensor, blocks: Iterable[Tensor]) -> Tensor:
    """Return each query's highest scalar product (B, N) with any row of all blocks, computed in float32.

    Args:
        queries: (B, N, C).
        blocks: of points (M, C), of any floating type; there is a row at least.

    Memory: O(B · N · 2048).
    """
    queries = queries.float()
    best: Tensor | None = None
    for block in blocks:
        for chunk in torch.split(block, CHUNK):
            found = F.linear(queries, chunk.float()).amax(2)
            best = found if best is None else torch.maximum(best, found)
    assert best is not None
    return best


def nearest_distances(queries: Tensor, points: Tensor) -> Tensor:
    """Return each query's Euclidean distance (B, N) to the nearest of ``points``.

    Found by scalar products (|q − p|² = |q|² − 2 (q · p − |p|² / 2)), then computed from the difference: no
    digits are lost where a query nearly is a point.

    Args:
        queries: (B, N, C), float32.
        points: (M, C), float32; there is one at least.

    Memory: O(B · N · (2048 + C)).
    """
    best: Tensor | None = None
    nearest = torch.zeros((), dtype=torch.int64)
    for number, chunk in enumerate(torch.split(points, CHUNK)):
        closeness, index = F.linear(queries, chunk, -0.5 * chunk.square().sum(1)).max(2)
        index = index + number * CHUNK
        if best is None:
            best, nearest = closeness, index
        else:
            nearest = torch.where(closeness > best, index, nearest)
            best = torch.maximum(best, closeness)
    return (queries - points[nearest]).square().sum(2).sqrt()
