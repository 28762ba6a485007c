"""A run directory with a small network that was trained for no time at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmark.methods.registry import create


@pytest.fixture
def trained_run(tmp_path: Path) -> Path:
    """The directory of an InvAD-lite run on 64 x 64 images."""
    directory = tmp_path / "run"
    directory.mkdir()
    torch.manual_seed(3)
    state = create("invad-lite", 64, "test_resnet").state_dict()
    save_file(
        {name: tensor.contiguous() for name, tensor in state.items()}, directory / "weights.safetensors"
    )
    (directory / "config.yaml").write_text(
        "method: invad-lite\ndataset: coco-ad\nimage_size: 64\nbackbone: test_resnet\nseed: 42\n"
    )
    return directory


@pytest.fixture
def make_image() -> Callable[[Path, tuple[int, int], int], Path]:
    """Write a noisy image of a size (width, height) and a seed."""

    def make(path: Path, size: tuple[int, int] = (80, 50), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return make
