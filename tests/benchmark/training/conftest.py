"""A small dataset, a small method and a way to run it, shared by the engine's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmark.config import Preset, Recipe, RunConfig
from benchmark.facts import Facts
from benchmark.methods import registry
from benchmark.methods.base import GradientMethod

SIZE = 64
BLUR: dict[Preset, Recipe] = {"paper": Recipe(epochs=3, batch_size=4, optimizer="adam", learning_rate=1e-2)}


class TinyAutoencoder(GradientMethod):
    """Two convolutions with batch norm and dropout: all that makes a training hard to resume."""

    facts: ClassVar[Facts] = Facts("a test", BLUR)

    def __init__(self, image_size: int = SIZE, backbone: str | None = None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, 4, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.ConvTranspose2d(8, 3, 4, 4),
        )

    def reconstructed(self, images: Tensor) -> Tensor:
        return self.net(images)  # type: ignore[no-any-return]

    def loss(self, images: Tensor) -> Tensor:
        return (self.reconstructed(images) - images).square().mean()

    def anomaly_maps(self, images: Tensor) -> Tensor:
        return (self.reconstructed(images) - images).square().mean(1)


class WithoutDropout(TinyAutoencoder):
    """What is random differs between one process and two: this one has nothing random."""

    def __init__(self, image_size: int = SIZE, backbone: str | None = None) -> None:
        super().__init__(image_size)
        self.net[3] = nn.Identity()


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A folder dataset: eight noisy tiles to train on, three good and three with a bright square to test on."""
    return draw_tiles(tmp_path / "tiles")


def draw_tiles(root: Path) -> Path:
    random = np.random.default_rng(0)

    def draw(path: Path, pixels: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)

    for index in range(14):
        pixels, mask = random.integers(90, 120, (SIZE, SIZE, 3)), np.zeros((SIZE, SIZE))
        if index < 8:
            draw(root / "train" / "good" / f"{index}.png", pixels)
        elif index < 11:
            draw(root / "test" / "good" / f"{index}.png", pixels)
        else:
            pixels[16:40, 16:40], mask[16:40, 16:40] = 250, 255
            draw(root / "test" / "square" / f"{index}.png", pixels)
            draw(root / "ground_truth" / "square" / f"{index}_mask.png", mask)
    return root


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> type[TinyAutoencoder]:
    """The small method, known to the registry of this process as ``tiny``."""
    known = registry.method_class
    monkeypatch.setattr(
        registry, "method_class", lambda name: TinyAutoencoder if name == "tiny" else known(name)
    )
    return TinyAutoencoder


@pytest.fixture
def config(tiles: Path, tiny: type[TinyAutoencoder]) -> Callable[..., RunConfig]:
    """Make a configuration of the small method on the tiles."""

    def make(**changes: object) -> RunConfig:
        plain: dict[str, object] = {"method": "tiny", "dataset": tiles, "split": None, "image_size": SIZE}
        plain |= {"recipe": BLUR["paper"], "weights": "random", "device": "cpu", "workers": 0}
        return RunConfig(**(plain | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
