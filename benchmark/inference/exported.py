"""An ONNX file of ``bench export`` as a model: onnxruntime computes, the file's metadata says the rest. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmark.config import ImageSize
from benchmark.inference.model import Model, Prediction, RgbImage
from benchmark.runs.thresholds import Threshold
from cocoad.base.errors import InputError, reason

METADATA_VERSION = "1"
MOST_HELD_OUT = 10_000  # scores in a file's metadata; of more, evenly spaced ones


@dataclass(frozen=True)
class OnnxModel(Model):
    """An exported method, in a session of onnxruntime."""

    session: Any

    def __repr__(self) -> str:
        return f"OnnxModel({self.name} at {self.image_size} pixels)"

    def predict_batch(self, images: Sequence[RgbImage]) -> list[Prediction]:
        """Return the predictions of images (S, S, 3), RGB, in one pass."""
        batch = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2), dtype=np.float32) / 255
        maps, scores = self.session.run(["maps", "scores"], {"images": batch})
        if not np.isfinite(maps).all():
            raise InputError(f"{self.name} gives maps that are not finite: the file is damaged")
        return [Prediction(score, one) for score, one in zip(scores.tolist(), maps, strict=True)]


def session_of(path: Path, providers: Sequence[str]) -> Any:
    """Return a session of onnxruntime on a file; it is silent but for errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=list(providers))


def metadata_of(model: Model, more: dict[str, str]) -> dict[str, str]:
    """Return what an exported file says of itself, texts by name; :func:`load_onnx` reads it."""
    held_out = np.sort(np.asarray(model.held_out, np.float64))
    if held_out.size > MOST_HELD_OUT:
        held_out = held_out[np.linspace(0, held_out.size - 1, MOST_HELD_OUT).round().astype(int)]
    sizes = {"image_size": model.image_size, "score_size": model.resolution}
    return {
        "cocoad_metadata": METADATA_VERSION,
        "method": model.name,
        **{name: str(value) for name, value in sizes.items()},
        "gray_bits": str(model.bits or ""),
        "thresholds": msgspec.json.encode(model.thresholds).decode(),
        "held_out_scores": msgspec.json.encode(held_out.tolist()).decode(),
        **more,
    }


def load_onnx(path: str | Path) -> OnnxModel:
    """Load a file that ``bench export`` wrote.

    Raises:
        InputError: onnxruntime is missing, or it is no such file.
    """
    path = Path(path)
    if not find_spec("onnxruntime"):
        raise InputError("an ONNX file needs onnxruntime: pip install onnxruntime")
    import onnxruntime

    if not path.is_file():
        raise InputError(f"{path}: no such file; `bench export RUN` writes one")
    try:
        session = session_of(path, onnxruntime.get_available_providers())
        found = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # whatever onnxruntime raises at a file that is none
        raise InputError(f"{path}: not an ONNX file that onnxruntime takes: {reason(error)}") from None
    if found.get("cocoad_metadata") != METADATA_VERSION:
        raise InputError(f"{path}: not written by this version's `bench export`: export the run again")
    try:
        sizes = [
            msgspec.convert(found[name], ImageSize, strict=False) for name in ("image_size", "score_size")
        ]
        return OnnxModel(
            session,
            name=found["method"],
            image_size=sizes[0],
            score_size=sizes[1],
            bits=int(found["gray_bits"]) if found["gray_bits"] else None,
            thresholds=tuple(msgspec.json.decode(found["thresholds"], type=list[Threshold])),
            held_out=tuple(msgspec.json.decode(found["held_out_scores"], type=list[float])),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its metadata is damaged: {reason(error)}") from None
