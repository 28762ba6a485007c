"""What predicts: images in, scores and maps out, whatever computes them. Nothing here needs torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.datasets.images import as_rgb, read_image, resized_parts
from benchmark.inference.decide import Decider, Decision, decider
from benchmark.runs.thresholds import Threshold
from benchmark.tiling import Grid, Tiling

RgbImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image: a score and a map (S, S), float32, larger = more anomalous."""

    score: float
    map: npt.NDArray[np.float32]


class Seen(NamedTuple):
    """An image as a method sees it: uint8 (n, S, S, 3), one part for each tile of ``grid``; None: one, the whole."""

    parts: RgbImage
    grid: Grid | None


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """A trained method, ready to predict."""

    name: str
    image_size: int  # pixels, of what the method sees
    bits: int | None = None  # that gray images use, where their files have room for more, as in training
    score_size: int | None = None  # pixels of its maps; None: image_size
    thresholds: tuple[Threshold, ...] = ()  # of its run
    held_out: tuple[float, ...] = ()  # scores of normal images that it was not trained on
    tiling: Tiling | None = None  # how images are cut into tiles; None: they are seen whole

    @property
    def resolution(self) -> int:
        """S, pixels, of its maps."""
        return self.score_size or self.image_size

    @abstractmethod
    def predict_batch(self, images: Sequence[RgbImage]) -> list[Prediction]:
        """Return the predictions of images (S, S, 3), RGB, in one pass: of whole ones, whatever ``tiling`` is."""

    def seen(self, image: Image.Image) -> Seen:
        """Return an image, RGB of any size, as the method sees it."""
        grid = None if self.tiling is None else self.tiling.grid(*image.size)
        boxes = (None,) if grid is None else grid.boxes
        return Seen(resized_parts(image, self.image_size, boxes), grid)

    def predict_seen(self, images: Sequence[Seen]) -> list[Prediction]:
        """Return the predictions of images, whole ones in one pass."""
        return self.predict_batch([image.parts[0] for image in images])

    def predict(self, image: str | Path | Image.Image | RgbImage) -> Prediction:
        """Return the score and the anomaly map of one image of any size.

        Args:
            image: a file's path, a PIL image, or an array (H, W, 3) of uint8, RGB.

        Raises:
            InputError: a file that cannot be read.
            ValueError: an array of another shape or type, or a PIL image of floats or 32-bit integers, whose
                white is unknown.
        """
        return self.predict_seen([self.seen(self.read(image))])[0]

    def decide(
        self,
        image: str | Path | Image.Image | RgbImage,
        threshold: str | float | None = None,
        pixel_threshold: str | float | None = None,
    ) -> Decision:
        """Say whether one image is anomalous, and where; raise as :meth:`predict` and :meth:`decider`."""
        pixels = self.read(image)
        (prediction,) = self.predict_seen([self.seen(pixels)])
        return self.decider(threshold, pixel_threshold).decide(
            prediction.score, prediction.map, (pixels.width, pixels.height)
        )

    def decider(
        self, threshold: str | float | None = None, pixel_threshold: str | float | None = None
    ) -> Decider:
        """Return what makes decisions of scores and maps.

        Args:
            threshold: of images: a number, ``fpr=RATE`` or ``f1``; None: the run's at a false-alarm rate of 1 %
                where normal images were held out, else that at best F1, else none.
            pixel_threshold: the same of pixels; None: the run's at best F1, else by false alarms, else none.

        Raises:
            InputError: the run has no such threshold.
        """
        return decider(self.thresholds, self.held_out, threshold, pixel_threshold)

    def read(self, image: str | Path | Image.Image | RgbImage) -> Image.Image:
        """Return an image as RGB, as the training had it; raise as :meth:`predict`."""
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(
                    f"an array of {image.dtype} {image.shape}: give uint8 (height, width, 3), RGB"
                )
            return Image.fromarray(image)
        if isinstance(image, Image.Image):
            return as_rgb(image, self.bits)
        return read_image(Path(image), self.bits)
