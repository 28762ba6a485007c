"""What a run does, as data: frozen dataclasses, filled from a method's recipe, a YAML file and command-line options.

The resolved configuration is written to the run directory as ``config.yaml``; ``bench run --config`` re-runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Preset = Literal["paper", "fast"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
OptimizerName = Literal["adam", "adamw", "sgd"]


@dataclass(frozen=True)
class Recipe:
    """How a method is trained. A method that fits in one pass uses ``batch_size`` and ``precision`` only."""

    epochs: int = 100
    batch_size: int = 32  # over all processes
    optimizer: OptimizerName = "adam"
    learning_rate: float = 1e-3  # at ``learning_rate_batch`` images a step, else at any batch size
    learning_rate_batch: int | None = None  # scale the rate by batch_size / learning_rate_batch
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    gradient_clip_norm: float | None = 5.0
    decay_at: float = 0.8  # fraction of the epochs after which the rate is multiplied by decay_factor
    decay_factor: float = 0.1
    drop_last: bool = True
    precision: Precision = "32-true"

    @property
    def scaled_learning_rate(self) -> float:
        """The rate the optimiser starts with."""
        if self.learning_rate_batch is None:
            return self.learning_rate
        return self.learning_rate * self.batch_size / self.learning_rate_batch


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result, and where its inputs lie."""

    method: str
    dataset: Path
    split: int | None = 0  # None for datasets without splits
    layout: str | None = None  # None: recognise it
    classes: tuple[str, ...] = ()  # empty: all
    coco_root: Path | None = None
    image_size: int = 256  # pixels, square
    backbone: str | None = None  # None: the method's own
    weights: str = "imagenet"  # imagenet, offline, random or a file's path
    method_options: dict[str, Any] = field(default_factory=dict)
    preset: Preset = "paper"
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 42
    deterministic: bool = True
    device: str = "auto"  # auto, cpu, cuda
    compile: bool = False
    workers: int | None = None  # loader processes; None: by the number of cores
    cache: Path | None = None  # folder of pixel caches; None: beside the user's caches
    use_cache: bool = True
    checkpoint: Path | None = None  # start from these weights
    eval_only: bool = False
    save_maps: bool = False
    checkpoint_every_s: float = 300.0  # seconds between mid-epoch checkpoints (every epoch's end has one too)
