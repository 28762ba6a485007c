"""PatchCore's coreset beside the textbook's: processor time, for the same patches."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmark.layers.coreset import PROJECTED, greedy_coreset

pytestmark = pytest.mark.performance
IMAGES, PATCHES, CHANNELS = 30, 1024, 152
SIZE = IMAGES * PATCHES // 10  # a tenth, as in the paper


@pytest.fixture(scope="module")
def points() -> Tensor:
    """Patches that lie around as many thousand places, some dense and some sparse, in a space of few dimensions."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inner = torch.randn(2000, 24, generator=generator)[
        torch.randint(2000, (IMAGES * PATCHES,), generator=generator)
    ]
    inner += torch.rand(len(inner), 1, generator=generator) * torch.randn(inner.shape, generator=generator)
    return inner @ torch.randn(24, CHANNELS, generator=generator)


def timed(what: str, select: Callable[[], Tensor]) -> tuple[Tensor, float]:
    begin = time.process_time()
    chosen = select()
    seconds = time.process_time() - begin
    print(f"\n{what}: {len(chosen)} of {IMAGES * PATCHES} patches in {seconds:.2f} s of processor time")
    return chosen, seconds


def ours(points: Tensor) -> Tensor:
    return greedy_coreset(points, SIZE, torch.Generator().manual_seed(1))


def textbook(points: Tensor) -> Tensor:
    """Return the same coreset: all distances to each centre as it is chosen."""
    generator = torch.Generator().manual_seed(1)
    points = points @ (torch.randn(CHANNELS, PROJECTED, generator=generator) / PROJECTED**0.5)
    squares, nearest = points.square().sum(1), torch.full((len(points),), torch.inf)
    chosen = torch.empty(SIZE, dtype=torch.int64)
    chosen[0] = int(torch.randint(len(points), (1,), generator=generator))
    for index in range(1, SIZE):
        last = points[chosen[index - 1]]
        torch.minimum(nearest, squares - 2 * (points @ last) + last.square().sum(), out=nearest)
        chosen[index] = nearest.argmax()
    return chosen


def test_it_is_5_times_as_fast_as_the_textbooks_and_the_same(points: Tensor) -> None:
    (found, quick), (expected, slow) = (
        timed("ours", lambda: ours(points)),
        timed("textbook", lambda: textbook(points)),
    )
    assert len(set(found.tolist()) & set(expected.tolist())) >= 0.99 * SIZE  # rounding decides between equals
    print(f"{slow / quick:.1f} times as fast")
    assert slow >= 5 * quick
