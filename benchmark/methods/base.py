"""The interface of a method: small, ignorant of devices, processes, files, progress, metrics and datasets.

Every method takes images as float32 tensors (B, 3, H, W) in [0, 1] (its
:class:`~benchmark.layers.frozen.FrozenEncoder` normalises them) and gives anomaly maps as float32 tensors
(B, H, W), larger = more anomalous.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from benchmark.config import Recipe
from benchmark.facts import Facts, Training
from benchmark.layers.anomaly_maps import resized_maps
from benchmark.layers.frozen import FrozenEncoder
from benchmark.layers.optimizers import Group, optimizer_of
from cocoad.base.errors import InputError

CHECK_EVERY = 20  # steps between two looks whether the loss is finite: each makes a GPU wait


class Method(nn.Module, ABC):
    """What all methods say. Subclass :class:`GradientMethod` or :class:`OnePassMethod`.

    (Or, to wrap another library's method with its own training, :class:`SelfTrainedMethod`.)

    A constructor takes ``image_size`` (pixels), ``backbone`` (a timm name or None for the method's own) and
    keyword options of its own; it builds networks with random weights and touches neither disk nor network.
    """

    facts: ClassVar[Facts]  # source, published recipe, own backbone, version
    trained_by: ClassVar[Training]  # how the base class that is chosen is trained

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        facts: Facts | None = cls.__dict__.get("facts")
        if facts is not None and facts.training != cls.trained_by:
            raise TypeError(
                f"{cls.__name__} is trained by {cls.trained_by!r}, its facts say {facts.training!r}"
            )

    def load_backbones(self, weights: str) -> None:
        """Fill every backbone with pretrained ``weights``: imagenet, offline, random or a file's path."""
        for module in self.modules():
            if isinstance(module, FrozenEncoder):
                module.load(weights)

    def rehearse(self, images: Tensor) -> None:
        """Do what a training step on ``images`` (B, 3, H, W) costs, and learn nothing from them."""
        raise NotImplementedError(f"{type(self).__name__} trains itself: it has no step of its own")

    @abstractmethod
    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the maps (B, H, W) of ``images`` (B, 3, H, W); called in eval mode without autograd."""

    def load_foreign_state(self, state: dict[str, Tensor]) -> None:
        """Load a state dict of other code: the method's officially released checkpoint, if it knows one.

        Raises:
            InputError: the method knows none, or names or shapes do not match (the error says which).
        """
        raise InputError("not a checkpoint of this bench, and this method knows no officially released ones")

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return one score per image (B,) from its map (B, H, W): its maximum, unless overridden."""
        return maps.flatten(1).amax(1)

    def predict(self, images: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the maps (B, H, W) and the scores (B,) of ``images`` (B, 3, H, W).

        With a ``size`` the maps are resized bilinearly to (B, size, size) before they are scored.
        """
        maps = self.anomaly_maps(images)
        if size is not None:
            maps = resized_maps(maps, size)
        return maps, self.image_scores(maps)


def check_size(method: str, image_size: int) -> None:
    """Make sure that images can be halved five times, as several methods do.

    Raises:
        InputError: their size is no multiple of 32.
    """
    if image_size < 32 or image_size % 32:
        raise InputError(f"{method} takes image sizes divisible by 32, not {image_size}")


class GradientMethod(Method):
    """A method trained by gradient descent on the parameters that require a gradient."""

    trained_by: ClassVar[Training] = "gradient"

    @abstractmethod
    def loss(self, images: Tensor) -> Tensor:
        """Return the training loss (a scalar) of a batch of normal images."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the loss: what a distributed wrapper calls."""
        return self.loss(images)

    def rehearse(self, images: Tensor) -> None:
        """Compute the loss and its gradients, and drop them."""
        self.loss(images).backward()  # type: ignore[no-untyped-call]
        self.zero_grad(set_to_none=True)

    def on_step(self, step: int, steps: int) -> None:
        """Hear before each training step which one (from 0) of how many it is: for a loss that changes on the way."""

    def groups(self) -> list[Group]:
        """Return the parameters to train: all that require a gradient, at the recipe's rate, unless overridden."""
        return [Group([parameter for parameter in self.parameters() if parameter.requires_grad])]

    def optimizer(self, recipe: Recipe) -> torch.optim.Optimizer:
        """Return the recipe's optimiser over :meth:`groups`, unless overridden."""
        return optimizer_of(self.groups(), recipe)


class OnePassMethod(Method):
    """A method that looks at every training image once and then solves for its state (kept in buffers)."""

    trained_by: ClassVar[Training] = "one pass"

    @abstractmethod
    def fit_batch(self, images: Tensor) -> None:
        """Take in a batch of normal images."""

    @torch.no_grad()
    def rehearse(self, images: Tensor) -> None:
        """Take in a batch, on a copy."""
        copy.deepcopy(self).fit_batch(images)

    @abstractmethod
    def fit_end(self, generator: torch.Generator) -> None:
        """Solve, after the last batch; ``generator`` is the seeded source of any randomness."""


class Epochs(Protocol):
    """A training set in batches: each iteration is the next epoch, in an order of its own."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yield an epoch's batches of normal images (B, 3, H, W)."""


class SelfTrainedMethod(Method):
    """A method of another library, wrapped with the training loop that it brings.

    The engine gives images, seed and device, and takes over again for scoring. Such a training takes one
    process and starts anew when it is interrupted; of the recipe it heeds what its wrapper says it does.
    """

    trained_by: ClassVar[Training] = "own"

    @abstractmethod
    def fit(self, batches: Epochs, recipe: Recipe, heard: Callable[[int, int, Tensor], None]) -> None:
        """Train on ``batches`` in place; tell ``heard`` (steps done, of how many, loss) after each step."""
