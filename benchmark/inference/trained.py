"""A run directory turned back into a method that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
import yaml
from PIL import Image, ImageOps

from benchmark.layers.weights import one_line, read_tensors
from benchmark.methods.base import Method
from benchmark.methods.registry import create
from benchmark.record import CONFIG_FILE, WEIGHTS_FILE
from cocoad.errors import InputError, ResourceError

LARGEST_SIZE = 4096  # pixels: a configuration that asks for more is not believed

Pixels = npt.NDArray[np.uint8]


class _Trained(msgspec.Struct, frozen=True):
    """The part of a run's configuration that says what its weights are of."""

    method: str
    image_size: int
    backbone: str | None = None
    method_options: dict[str, Any] = {}


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image: a score and a map (S, S), float32, larger = more anomalous."""

    score: float
    map: npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainedModel:
    """A method with its trained weights, in eval mode on ``device``."""

    method: Method
    name: str
    image_size: int  # S, pixels
    device: torch.device

    def predict(self, image: str | Path | Image.Image) -> Prediction:
        """Return the score and the anomaly map of one image: a file's path or a PIL image of any size."""
        pixels = read_image(image) if isinstance(image, str | Path) else image
        return self.predict_batch([resize(pixels, self.image_size)])[0]

    @torch.inference_mode()
    def predict_batch(self, images: Sequence[Pixels]) -> list[Prediction]:
        """Return the predictions of images (S, S, 3), RGB, in one pass."""
        batch = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        maps, scores = self.method.predict(batch.float() / 255)
        arrays = maps.float().cpu().numpy()
        if not np.isfinite(arrays).all():
            raise InputError(f"{self.name} gives maps that are not finite: its weights are damaged")
        return [Prediction(score, one) for score, one in zip(scores.tolist(), arrays, strict=True)]


def load_run(directory: str | Path, device: str = "auto") -> TrainedModel:
    """Load the trained method of a run directory.

    Args:
        directory: holds ``config.yaml`` and ``weights.safetensors``.
        device: auto (a GPU if there is one), cpu or cuda.

    Raises:
        InputError: a file is missing or damaged, or the weights are not of the configured method.
        ResourceError: there is no such device.
    """
    directory = Path(directory)
    config = _read_config(directory / CONFIG_FILE)
    weights = directory / WEIGHTS_FILE
    if not weights.is_file():
        raise InputError(f"{directory} holds no trained weights (no {WEIGHTS_FILE}): has the run finished?")
    target = _device(device)
    method = create(config.method, config.image_size, config.backbone, **config.method_options)
    try:
        method.load_state_dict(read_tensors(weights))
    except RuntimeError as error:
        raise InputError(f"{weights}: not of the method in {CONFIG_FILE}: {one_line(error)}") from None
    return TrainedModel(method.eval().to(target), config.method, config.image_size, target)


def read_image(path: str | Path) -> Image.Image:
    """Read an image file as RGB, turned upright.

    Raises:
        InputError: it is missing, damaged or too large to be an honest image.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: no readable image: {one_line(error)}") from None


def resize(image: Image.Image, size: int) -> Pixels:
    """Return an image (S, S, 3) as training saw it: RGB, bilinear with antialiasing, aspect not kept."""
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def _read_config(path: Path) -> _Trained:
    if not path.is_file():
        raise InputError(f"{path.parent} is not a run directory (no {CONFIG_FILE})")
    try:
        config = msgspec.convert(yaml.safe_load(path.read_bytes()), _Trained)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a run's configuration: {one_line(error)}") from None
    if not 1 <= config.image_size <= LARGEST_SIZE:
        raise InputError(f"{path}: image_size is {config.image_size}, not 1 to {LARGEST_SIZE}")
    return config


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError("no CUDA device: use --device cpu")
    return torch.device(name)
