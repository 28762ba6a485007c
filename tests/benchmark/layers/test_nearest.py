"""The nearest of many points, beside all distances at once."""

from __future__ import annotations

import pytest
import torch

from benchmark.layers import nearest
from benchmark.layers.nearest import highest_products, nearest_distances


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "CHUNK", 7)


@pytest.mark.parametrize("points", [1, 6, 7, 8, 50])
def test_the_distance_is_the_least_of_all(points: int) -> None:
    generator = torch.Generator().manual_seed(points)
    queries = torch.randn(3, 11, 5, generator=generator)
    bank = torch.randn(points, 5, generator=generator)
    expected = (queries[:, :, None].double() - bank.double()).norm(dim=3).amin(2)
    torch.testing.assert_close(nearest_distances(queries, bank), expected.float(), rtol=1e-5, atol=1e-6)


def test_a_query_that_is_a_point_far_from_the_origin_has_the_distance_0() -> None:
    bank = 1000 + torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nearest_distances(bank[None, 12:15], bank), torch.zeros(1, 3))


def test_the_highest_product_is_that_of_all_blocks_of_half_precision_summed_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    blocks = [torch.randn(size, 5, generator=generator).half() for size in (20, 1, 7)]
    queries = torch.randn(2, 4, 5, generator=generator).half()
    expected = (queries.double() @ torch.cat(blocks).double().T).amax(2)
    torch.testing.assert_close(highest_products(queries, blocks), expected.float(), rtol=1e-6, atol=1e-6)
