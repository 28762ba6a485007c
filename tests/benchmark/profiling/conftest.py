"""A configuration of a small method, to be measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.config import Recipe, RunConfig


@pytest.fixture
def config() -> Callable[..., RunConfig]:
    """Make a configuration of InvAD-lite on a tiny network; no dataset is looked at."""

    def make(**changes: object) -> RunConfig:
        plain: dict[str, object] = {"method": "invad-lite", "backbone": "test_resnet", "image_size": 64}
        plain |= {
            "dataset": Path("none"),
            "recipe": Recipe(batch_size=4),
            "weights": "random",
            "device": "cpu",
        }
        return RunConfig(**(plain | changes))  # type: ignore[arg-type]

    return make
