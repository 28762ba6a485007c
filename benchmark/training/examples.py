"""A few scored images as pictures, for trackers: the image, its map and its mask side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.datasets.images import as_rgb
from benchmark.runs.outputs import ImageScore, Previews
from cocoad.base.images import open_image

EACH = 4  # of normal and of anomalous images
SIDE = 192  # pixels of each part

Picture = npt.NDArray[np.uint8]


def examples(scores: Sequence[ImageScore], previews: Previews | None) -> dict[str, Picture]:
    """Return pictures uint8 (192, 576, 3) by image id: images spread evenly over the test set, always the same.

    Maps are coloured from the smallest to the largest value of those shown.

    Raises:
        InputError: an image is gone.
    """
    chosen = [index for label in (0, 1) for index in _spread(scores, label)]
    if previews is None or not chosen:
        return {}
    maps = previews.maps[chosen]
    low, high = float(maps.min()), float(maps.max())
    shares = (maps - low) / max(high - low, 1e-30)
    return {
        scores[index].id: np.concatenate(
            [_image(Path(scores[index].image)), _heatmap(share), _mask(previews.masks[index])], axis=1
        )
        for index, share in zip(chosen, shares, strict=True)
    }


def _spread(scores: Sequence[ImageScore], label: int) -> list[int]:
    of_label = [index for index, score in enumerate(scores) if score.label == label]
    if len(of_label) <= EACH:
        return of_label
    return [of_label[place] for place in np.linspace(0, len(of_label) - 1, EACH).round().astype(int)]


def _image(path: Path) -> Picture:
    with open_image(path) as image:
        return np.asarray(as_rgb(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _heatmap(shares: npt.NDArray[np.float32]) -> Picture:
    large = cv2.resize((255 * shares).round().astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(cv2.applyColorMap(large, cv2.COLORMAP_INFERNO)[..., ::-1]).astype(np.uint8)


def _mask(mask: npt.NDArray[np.bool_]) -> Picture:
    large = cv2.resize(mask.astype(np.uint8) * 255, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return np.repeat(large[..., None], 3, axis=2).astype(np.uint8)
