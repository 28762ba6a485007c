"""The learning rate over a training."""

from __future__ import annotations

import pytest

from benchmark.config import Recipe
from benchmark.training.schedule import rate_factor


def factors(recipe: Recipe, steps: int, steps_per_epoch: int = 10) -> list[float]:
    return [rate_factor(recipe, step, steps, steps_per_epoch) for step in range(steps)]


def test_a_step_comes_at_the_beginning_of_an_epoch() -> None:
    found = factors(Recipe(epochs=5, decay_at=0.5, decay_factor=0.1), 50)
    assert found == [1.0] * 20 + [0.1] * 30


def test_a_step_of_a_length_in_iterations_comes_at_its_share_of_them() -> None:
    assert factors(Recipe(iterations=50, decay_at=0.5, decay_factor=0.1), 50) == [1.0] * 25 + [0.1] * 25


def test_a_step_at_the_end_or_before_the_beginning_never_comes() -> None:
    assert set(factors(Recipe(epochs=5, decay_at=1.0), 50)) == {1.0}
    assert set(factors(Recipe(epochs=5, decay_at=0.1), 50)) == {1.0}  # within the first epoch


def test_a_warm_up_rises_to_the_whole_rate_and_what_follows_begins_there() -> None:
    constant = factors(Recipe(schedule="constant", warmup_iterations=4), 8)
    assert constant == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    cosine = factors(Recipe(schedule="cosine", warmup_iterations=4, decay_factor=0.2), 104)
    assert cosine[4] == 1.0
    assert cosine[54] == pytest.approx(0.6)
    assert cosine[4:] == sorted(cosine[4:], reverse=True)
    assert 0.2 < cosine[-1] < 0.201
