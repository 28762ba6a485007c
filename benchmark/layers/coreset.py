"""Few points that are near to all of many."""

from __future__ import annotations

import torch
from torch import Tensor

# Dimensions in which distances are compared (PatchCore, section 3.2: Johnson and Lindenstrauss).
PROJECTED = 128
FARTHEST = 2048  # points among which the next ones are looked for, until another may be farther
ROWS = 8192  # points whose distances to new centres are computed at a time


def greedy_coreset(points: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return the indices, int64 (size,), of a greedy k-centre coreset of ``points`` (N, C).

    Starting at a random point, each next one is the farthest from all before it. Distances are compared after a
    random projection. All indices when there are at most ``size`` points. Memory: O(N · 128).

    Distances only shrink as centres are added. So the next centre is among the points that were farthest when all
    were last looked at, as long as one of these is still as far as all others were then: only they are followed
    from centre to centre, and the others meet many new centres in one matrix product.
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
    met, done = 0, 1  # centres that all points have met, centres
    while done < size:
        _meet(points, squares, chosen[met:done], nearest)
        met = done
        distances, followed = nearest.topk(min(FARTHEST, count))
        others = float(distances[-1]) if count > FARTHEST else -torch.inf
        near, near_squares = points[followed], squares[followed]
        while done < size:
            farthest = distances.argmax()
            if float(distances[farthest]) < others:
                break
            chosen[done] = followed[farthest]
            done += 1
            offset = near_squares + near_squares[farthest]
            torch.minimum(distances, torch.addmv(offset, near, near[farthest], alpha=-2), out=distances)
    return chosen


def _meet(points: Tensor, squares: Tensor, centres: Tensor, nearest: Tensor) -> None:
    """Lower, in place, each point's squared distance to its nearest centre by those to new ``centres``."""
    for start in range(0, len(points), ROWS):
        rows = slice(start, start + ROWS)
        products = torch.addmm(squares[centres], points[rows], points[centres].T, alpha=-2)
        torch.minimum(nearest[rows], products.amin(1) + squares[rows], out=nearest[rows])
