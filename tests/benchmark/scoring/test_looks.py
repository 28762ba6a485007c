"""What is said of maps that were saved by mistake, and that nothing is said of maps that were not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets.samples import Sample
from benchmark.scoring.looks import Looks

SIZE = 64
Change = Callable[[np.ndarray], np.ndarray]


def notes_of(
    change: Change, folder: Path, shape: tuple[int, int] = (SIZE, SIZE), signal: float = 3
) -> list[str]:
    """Return what is said of 30 maps of noise and signal, each changed before it was saved; 10 are of noise only."""
    looks = Looks()
    random = np.random.default_rng(0)
    Image.new("L", shape[::-1]).save(folder / "a.png")
    for index in range(30):
        mask = np.zeros(shape, bool)
        if index % 3:
            mask[5:25, 30 + index % 5 : 50] = True
        values = change((random.normal(size=shape) + signal * mask).astype(np.float32))
        looks.see(Sample(f"val/{index}", folder / "a.png", "coco"), values)
        if values.shape == (SIZE, SIZE):
            looks.compare(values[None], mask[None])
    return looks.notes()


def normalised(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("signal", [3.0, 0.0])
@pytest.mark.parametrize("change", [lambda values: values, lambda values: np.maximum(values, 0)])
def test_nothing_is_said_of_ordinary_maps(tmp_path: Path, change: Change, signal: float) -> None:
    assert notes_of(change, tmp_path, signal=signal) == []


def test_maps_with_the_same_extremes_look_normalised_image_by_image(tmp_path: Path) -> None:
    (note,) = notes_of(normalised, tmp_path)
    assert "30 of 30 maps" in note
    assert "normalised image by image" in note


def test_square_maps_that_suit_the_transposed_masks_better_look_transposed(tmp_path: Path) -> None:
    (note,) = notes_of(lambda values: values.T, tmp_path)
    assert "look transposed" in note


def test_maps_with_their_images_sides_swapped_look_transposed(tmp_path: Path) -> None:
    assert notes_of(lambda values: values, tmp_path, (40, 60)) == []
    (note,) = notes_of(lambda values: values.T, tmp_path, (40, 60))
    assert "that of val/0 has its image's sides swapped" in note


def test_constant_maps_are_counted(tmp_path: Path) -> None:
    (note,) = notes_of(lambda values: values * (values.max() > 5), tmp_path)
    assert note.startswith("10 of 30 maps are constant (such as that of val/")
