"""The learning rate over a training, as a factor of the recipe's."""

from __future__ import annotations

import math

from benchmark.config import Recipe


def rate_factor(recipe: Recipe, step: int, steps: int, steps_per_epoch: int) -> float:
    """Return the factor of the learning rate at ``step`` (from 0) of ``steps``.

    A warm-up rises linearly to 1, which its last step has. Then the rate is constant; or is multiplied by
    ``decay_factor`` once, ``decay_at`` through the training, at the beginning of an epoch where its length is told
    in epochs; or falls from 1 along half a cosine to ``decay_factor``.

    >>> cosine = Recipe(iterations=300, schedule="cosine", warmup_iterations=100, decay_factor=0.1)
    >>> [round(rate_factor(cosine, step, 300, 10), 3) for step in (0, 99, 100, 200, 299)]
    [0.01, 1.0, 1.0, 0.55, 0.1]
    """
    if step < recipe.warmup_iterations:
        return (step + 1) / recipe.warmup_iterations
    if recipe.schedule == "constant":
        return 1.0
    if recipe.schedule == "cosine":
        through = (step - recipe.warmup_iterations) / (steps - recipe.warmup_iterations)
        return recipe.decay_factor + (1 - recipe.decay_factor) * (1 + math.cos(math.pi * through)) / 2
    if recipe.iterations is None:
        decays_at = int(recipe.epochs * recipe.decay_at) * steps_per_epoch
    else:
        decays_at = int(recipe.iterations * recipe.decay_at)
    return recipe.decay_factor if 0 < decays_at <= step else 1.0
