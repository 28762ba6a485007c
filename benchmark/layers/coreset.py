"""Few points that are near to all of many."""

from __future__ import annotations

import torch
from torch import Tensor

# Dimensions in which distances are compared (PatchCore, section 3.2: Johnson and Lindenstrauss).
PROJECTED = 128


def greedy_coreset(points: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return the indices, int64 (size,), of a greedy k-centre coreset of ``points`` (N, C).

    Starting at a random point, each next one is the farthest from all before it. Distances are compared after a
    random projection. All indices when there are at most ``size`` points. Memory: O(N · 128).
    """
    count, channels = points.shape
    if count <= size:
        return torch.arange(count, device=points.device)
    if channels > PROJECTED:
        mixing = torch.randn(channels, PROJECTED, generator=generator) / PROJECTED**0.5
        points = points @ mixing.to(points)
    squares = points.square().sum(1)
    chosen = torch.empty(size, dtype=torch.int64, device=points.device)
    chosen[0] = int(torch.randint(count, (1,), generator=generator))
    nearest = torch.full((count,), torch.inf, device=points.device)
    for index in range(1, size):
        last = points[chosen[index - 1]]
        torch.minimum(nearest, squares - 2 * (points @ last) + last.square().sum(), out=nearest)
        chosen[index] = nearest.argmax()
    return chosen
