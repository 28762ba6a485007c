"""A run directory turned back into a method that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
import yaml
from PIL import Image

from benchmark.config import NOT_YAML, Side
from benchmark.datasets.images import as_rgb, read_image, resized
from benchmark.layers.weights import read_tensors
from benchmark.methods.base import Method
from benchmark.methods.registry import create
from benchmark.runs.record import CONFIG_FILE, RESULT_FILE, WEIGHTS_FILE
from cocoad.base.errors import InputError, ResourceError, reason

Pixels = npt.NDArray[np.uint8]


class _Trained(msgspec.Struct, frozen=True):
    """The part of a run's configuration that says what its weights are of."""

    method: str
    image_size: Side
    score_size: Side | None = None
    backbone: str | None = None
    method_options: dict[str, Any] = {}


class _Data(msgspec.Struct):
    gray_bits: Annotated[int, msgspec.Meta(ge=8, le=16)] | None = None


class _Recorded(msgspec.Struct):
    dataset: _Data


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
    image_size: int  # pixels, of what the method sees
    device: torch.device
    bits: int | None = None  # that gray images use, where their files have room for more, as in training
    score_size: int | None = None  # S, pixels, of its maps; None: image_size

    def __repr__(self) -> str:
        return f"TrainedModel({self.name} at {self.image_size} pixels, on {self.device})"

    def predict(self, image: str | Path | Image.Image | Pixels) -> Prediction:
        """Return the score and the anomaly map of one image of any size.

        Args:
            image: a file's path, a PIL image, or an array (H, W, 3) of uint8, RGB.

        Raises:
            InputError: a file that cannot be read.
            ValueError: an array of another shape or type, or a PIL image of floats or 32-bit integers, whose
                white is unknown.
        """
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(
                    f"an array of {image.dtype} {image.shape}: give uint8 (height, width, 3), RGB"
                )
            pixels = Image.fromarray(image)
        else:
            pixels = self.read(image)
        return self.predict_batch([resized(pixels, self.image_size)])[0]

    def read(self, image: str | Path | Image.Image) -> Image.Image:
        """Return an image as RGB, as the training had it; raise as :meth:`predict`."""
        return (
            as_rgb(image, self.bits) if isinstance(image, Image.Image) else read_image(Path(image), self.bits)
        )

    @torch.inference_mode()
    def predict_batch(self, images: Sequence[Pixels]) -> list[Prediction]:
        """Return the predictions of images (S, S, 3), RGB, in one pass."""
        batch = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        maps, scores = self.method.predict(batch.float() / 255, self.score_size)
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
        raise InputError(f"{weights}: not of the method in {CONFIG_FILE}: {reason(error)}") from None
    bits = _gray_bits(directory / RESULT_FILE)
    return TrainedModel(
        method.eval().to(target), config.method, config.image_size, target, bits, config.score_size
    )


def _gray_bits(record: Path) -> int | None:
    """Return what a run's record says of its gray images; None without one."""
    try:
        return msgspec.json.decode(record.read_bytes(), type=_Recorded).dataset.gray_bits
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _read_config(path: Path) -> _Trained:
    if not path.is_file():
        raise InputError(f"{path.parent} is not a run directory (no {CONFIG_FILE})")
    try:
        return msgspec.convert(yaml.safe_load(path.read_bytes()), _Trained)
    except (msgspec.ValidationError, *NOT_YAML) as error:
        raise InputError(f"{path}: not a run's configuration: {reason(error)}") from None


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ResourceError("no CUDA device: use --device cpu")
    return torch.device(name)
