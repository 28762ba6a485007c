"""A dataset of a few tiles that floors learn in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A folder dataset of grey noise: four images to train on, two good and two with a square to test on."""
    random = np.random.default_rng(0)
    root = tmp_path / "tiles"
    for index, kind in enumerate(("train/good",) * 4 + ("test/good",) * 2 + ("test/square",) * 2):
        pixels = random.integers(90, 120, (64, 64, 3), np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        if kind == "test/square":
            pixels[16:40, 16:40], mask[16:40, 16:40] = 250, 255
            (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
        (root / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / kind / f"{index}.png")
    return root
