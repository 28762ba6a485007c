"""A run directory turned back into a method that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
import yaml
from torch import Tensor

from benchmark.config import NOT_YAML, ImageSize, NotNegative, TileSize
from benchmark.inference.model import Model, Prediction, RgbImage, Seen
from benchmark.layers.weights import read_tensors
from benchmark.methods.base import Method
from benchmark.methods.registry import create
from benchmark.methods.tiled import predict_tiled
from benchmark.runs.outputs import read_scores
from benchmark.runs.record import CALIBRATION_FILE, CONFIG_FILE, RESULT_FILE, WEIGHTS_FILE
from benchmark.runs.thresholds import Threshold
from benchmark.tiling import tiling
from cocoad.base.errors import InputError, ResourceError, reason

TILES_AT_ONCE = 8


class _Trained(msgspec.Struct, frozen=True):
    """The part of a run's configuration that says what its weights are of."""

    method: str
    image_size: ImageSize
    score_size: ImageSize | None = None
    tiles: TileSize | None = None
    tile_overlap: NotNegative | None = None
    backbone: str | None = None
    method_options: dict[str, Any] = {}


class _Data(msgspec.Struct):
    gray_bits: Annotated[int, msgspec.Meta(ge=8, le=16)] | None = None


class _Recorded(msgspec.Struct):
    dataset: _Data
    thresholds: list[Threshold] = []


@dataclass(frozen=True)
class TrainedModel(Model):
    """A method with its trained weights, in eval mode on ``device``."""

    method: Method
    device: torch.device

    def __repr__(self) -> str:
        return f"TrainedModel({self.name} at {self.image_size} pixels, on {self.device})"

    @torch.inference_mode()
    def predict_batch(self, images: Sequence[RgbImage]) -> list[Prediction]:
        """Return the predictions of images (S, S, 3), RGB, in one pass."""
        batch = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        maps, scores = self.method.predict(batch.float() / 255, self.score_size)
        return self._predictions(maps, scores)

    @torch.inference_mode()
    def predict_seen(self, images: Sequence[Seen]) -> list[Prediction]:
        """Return the predictions of images, whole ones in one pass."""
        if self.tiling is None:
            return super().predict_seen(images)
        found = []
        for parts, grid in images:
            assert grid is not None  # of this model's tiling
            tiles = torch.from_numpy(parts).to(self.device).permute(0, 3, 1, 2)
            found += self._predictions(
                *predict_tiled(self.method, tiles, [grid], self.resolution, TILES_AT_ONCE)
            )
        return found

    def _predictions(self, maps: Tensor, scores: Tensor) -> list[Prediction]:
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
    recorded = _recorded(directory / RESULT_FILE)
    held_out = read_scores(directory, CALIBRATION_FILE) if (directory / CALIBRATION_FILE).is_file() else []
    return TrainedModel(
        method.eval().to(target),
        target,
        name=config.method,
        image_size=config.image_size,
        score_size=config.score_size,
        tiling=tiling(config.tiles, config.tile_overlap),
        bits=recorded.dataset.gray_bits,
        thresholds=tuple(recorded.thresholds),
        held_out=tuple(row.score for row in held_out),
    )


def _recorded(record: Path) -> _Recorded:
    """Return what a run's record says of its gray images and thresholds; nothing without one."""
    try:
        return msgspec.json.decode(record.read_bytes(), type=_Recorded)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Recorded(_Data())


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
