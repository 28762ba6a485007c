"""The order of a training."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmark.training.order import Order


@given(st.integers(1, 60), st.integers(1, 16), st.integers(0, 3), st.booleans())
def test_an_epoch_shows_each_image_at_most_once_and_all_but_a_last_part_of_a_batch(
    images: int, batch: int, epoch: int, drop_last: bool
) -> None:
    order = Order(images, batch, seed=7, drop_last=drop_last)
    seen = [index for part in order.epoch(epoch) for index in part]
    assert len(seen) == len(set(seen)) == (images - images % batch if drop_last else images)
    assert set(seen) <= set(range(images))
    assert len(order) == len(order.epoch(epoch))


@given(st.integers(8, 60), st.integers(0, 5))
def test_the_processes_shares_of_a_batch_are_the_batch(images: int, epoch: int) -> None:
    whole = Order(images, 8, 3).epoch(epoch)
    shares = [Order(images, 8, 3, rank=rank, processes=2).epoch(epoch) for rank in range(2)]
    assert [sorted(one + two) for one, two in zip(*shares, strict=True)] == [sorted(batch) for batch in whole]


def test_a_resumed_epoch_is_the_rest_of_it() -> None:
    order = Order(50, 8, 3)
    assert order.epoch(2, skip=4) == order.epoch(2)[4:]


def test_epochs_and_seeds_shuffle_differently() -> None:
    assert len({str(Order(50, 8, seed).epoch(epoch)) for seed in range(3) for epoch in range(3)}) == 9
