"""What a method is, as data: known before its class, and with it torch, is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from benchmark.config import Preset, Recipe

# By gradient descent; by one look at every image; or by a loop that a method of another library brings.
Training = Literal["gradient", "one pass", "own"]


@dataclass(frozen=True)
class Facts:
    """What a method says of itself; its class refers to it as ``facts``.

    Attributes:
        source: paper, venue and year.
        presets: "paper": the published recipe; "fast": a cheaper one that holds up, where there is one.
        default_backbone: a timm name; None: it has no backbone.
        training: which loop trains it.
        fixed_epochs: that it takes whatever a recipe says.
        image_size: pixels, square, of the images unless said: what it takes and its paper's protocol come to here.
        version: raised whenever its scores change; runs of different versions are not comparable.
        score_size: pixels at which its paper scores, where that is not the input's size.
        published_epochs: by a dataset's name, how long the published rows on it were trained, where that is not
            what "paper" says.
    """

    source: str
    presets: Mapping[Preset, Recipe]
    default_backbone: str | None = None
    training: Training = "gradient"
    fixed_epochs: int | None = None
    image_size: int = 256
    version: int = 1
    score_size: int | None = None
    published_epochs: Mapping[str, int] = field(default_factory=dict)

    def recipe(self, preset: Preset, dataset: str | None) -> Recipe:
        """Return a preset's recipe for a dataset of the field (its name in the catalogue) or any other (None)."""
        recipe = self.presets[preset]
        epochs = None if dataset is None or preset != "paper" else self.published_epochs.get(dataset)
        return recipe if epochs is None else replace(recipe, epochs=epochs)

    def passes(self, recipe: Recipe, images: int) -> int:
        """Return how often a training by ``recipe`` sees each of ``images``, the last time perhaps not all."""
        if self.training == "gradient":
            return recipe.epochs_of(images)
        return recipe.epochs if self.training == "own" else 1

    def images_seen(self, recipe: Recipe, images: int) -> int:
        """Return how many of ``images`` a training by ``recipe`` sees, repetitions counted."""
        if self.training == "gradient" and recipe.iterations is not None:
            return recipe.iterations * recipe.batch_size
        if self.training == "gradient" and recipe.drop_last:
            return recipe.epochs * recipe.steps_per_epoch(images) * recipe.batch_size
        return self.passes(recipe, images) * images

    @property
    def resumes(self) -> bool:
        """Whether an interrupted training goes on from a checkpoint."""
        return self.training == "gradient"

    @property
    def has_steps(self) -> bool:
        """Whether a step of its training can be taken, and measured, by itself."""
        return self.training != "own"
