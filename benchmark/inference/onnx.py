"""Exporting a trained run to ONNX, checked against PyTorch before it is called done."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.inference.exported import metadata_of, session_of
from benchmark.inference.trained import TrainedModel
from benchmark.layers.frozen import FrozenEncoder
from benchmark.methods.base import Method
from cocoad import __version__
from cocoad.base.console import hushed
from cocoad.base.errors import InputError, ResourceError, reason
from cocoad.base.files import open_atomic

OPSET = 18
TOLERANCE = 1e-4
HALF_TOLERANCE = 0.02  # of the range of the maps
CHECKED = (1, 2, 5)  # batches on which the file is tried
TRACED = 3  # none of them


class _MapsAndScores(nn.Module):
    def __init__(self, method: Method, size: int | None) -> None:
        super().__init__()
        self.method, self.size = method, size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.method.predict(images, self.size)


def export_onnx(model: TrainedModel, path: Path, half: bool = False) -> float:
    """Write the model to ``path`` and return the largest difference of its maps from PyTorch's.

    Input ``images``: float32 (batch, 3, S, S), RGB in [0, 1], any batch size. Outputs: ``maps`` (batch, S, S)
    and ``scores`` (batch,), float32. Opset 18; the weights are in the file, and its metadata says sizes,
    normalisation, thresholds and versions (:func:`benchmark.inference.exported.load_onnx` reads them).

    Args:
        model: from ``load_run``, on whatever device: it is on the CPU afterwards.
        path: of the file.
        half: weights and computation in float16, inputs and outputs as they are; half the size.

    Raises:
        InputError: the ONNX packages are missing, or the method cannot be exported; nothing is written.
        ResourceError: onnxruntime's maps differ by more than 1e-4, or in half precision by more than 2 % of their
            range; nothing is written.
    """
    if model.tiling is not None:
        raise InputError(
            "a run with --tiles cannot be exported: an ONNX file sees images whole; `bench predict` cuts and stitches"
        )
    if not all(find_spec(package) for package in ("onnx", "onnxruntime", "onnxscript")):
        raise InputError("exporting needs an extra: pip install '.[onnx]' in a clone of the repository")
    import onnx

    refused = f"the method {model.name!r} cannot be exported to ONNX"
    network = _MapsAndScores(model.method.cpu(), model.score_size).eval()
    generator = torch.Generator().manual_seed(0)
    try:
        program = _traced(network, torch.rand(TRACED, 3, *2 * (model.image_size,), generator=generator))
    except Exception as error:  # whatever the exporter raises at code that it cannot follow
        cause = error.__cause__  # its own errors are a page of advice
        said = reason(cause if isinstance(cause, Exception) else error)
        raise InputError(f"{refused}: {said}") from None
    program.model.metadata_props.update(_metadata(model, "float16" if half else "float32"))
    with open_atomic(path) as temporary:
        with _quiet():
            program.save(str(temporary), external_data=False)
        try:
            if half:
                _halve(temporary)
            onnx.checker.check_model(str(temporary))
            worst, reach = _compared(network, temporary, model.image_size, generator)
        except Exception as error:  # whatever onnxruntime raises at what it does not take
            batches = ", ".join(map(str, CHECKED[:-1]))
            raise InputError(
                f"{refused}: the file fails on batches of {batches} or {CHECKED[-1]}: {reason(error)}"
            ) from None
        if not worst <= (HALF_TOLERANCE * reach if half else TOLERANCE):
            what = f" in half precision, {worst / reach:.1%} of their range" if half else ""
            raise ResourceError(
                f"onnxruntime's maps differ from PyTorch's by {worst:.1e}{what}: nothing was written"
            )
    return worst


def _traced(network: nn.Module, example: Tensor) -> Any:
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["maps", "scores"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1, max=4096)}},
            external_data=False,
        )
    assert program is not None
    return program


def _halve(path: Path) -> None:
    """Turn the file at ``path`` to float16 within."""
    import onnx

    path_before = sys.path[:]
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    sys.path[:] = path_before  # onnxruntime adds a folder in which a module is called `benchmark`
    with _quiet():
        halved = OnnxModel(convert_float_to_float16(onnx.load(path), keep_io_types=True))
        halved.topological_sort()  # the casts at both ends come last
        onnx.save(halved.model, path)


def _metadata(model: TrainedModel, precision: str) -> dict[str, str]:
    """Return what the file says of itself beside what predicting needs."""
    encoders = [part for part in model.method.modules() if isinstance(part, FrozenEncoder)]
    inside = [
        {"backbone": each.name, "mean": each.mean.flatten().tolist(), "std": each.std.flatten().tolist()}
        for each in encoders
    ]
    return metadata_of(
        model,
        {
            "input": "RGB in [0, 1], resized with Pillow's antialiased bilinear filter, aspect not kept",
            "normalization": json.dumps({"where": "inside the network", "encoders": inside}),
            "method_version": str(model.method.facts.version),
            "tool_version": __version__,
            "opset": str(OPSET),
            "precision": precision,
        },
    )


def _compared(network: nn.Module, path: Path, size: int, generator: torch.Generator) -> tuple[float, float]:
    """Return the largest difference of onnxruntime's maps from PyTorch's, NaN included, and the range of the latter."""
    session = session_of(path, ["CPUExecutionProvider"])
    differences, values = [], []
    for batch in CHECKED:
        images = torch.rand(batch, 3, size, size, generator=generator)
        with torch.no_grad():
            expected = network(images)[0].numpy()
        found = session.run(["maps"], {"images": images.numpy()})[0]
        differences.append(np.abs(found - expected).max())
        values += [expected.min(), expected.max()]
    return float(np.max(differences)), float(np.ptp(values))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own progress and warnings off the terminal."""
    silence = contextlib.redirect_stdout(io.StringIO())
    with hushed("torch.onnx", "onnxscript"), warnings.catch_warnings(), silence:
        warnings.simplefilter("ignore")
        yield
