"""Exporting a trained run to ONNX, checked against PyTorch before it is called done."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.inference.trained import TrainedModel
from benchmark.methods.base import Method
from cocoad.base.console import hushed
from cocoad.base.errors import InputError, ResourceError, reason
from cocoad.base.files import open_atomic

OPSET = 18
TOLERANCE = 1e-4
CHECKED = (1, 3)  # batches on which the file is tried; neither is the one that it was traced with


class _MapsAndScores(nn.Module):
    def __init__(self, method: Method, size: int | None) -> None:
        super().__init__()
        self.method, self.size = method, size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.method.predict(images, self.size)


def export_onnx(model: TrainedModel, path: Path) -> float:
    """Write the model to ``path`` and return the largest difference of its maps from PyTorch's.

    Input ``images``: float32 (batch, 3, S, S), RGB in [0, 1], any batch size. Outputs: ``maps`` (batch, S, S)
    and ``scores`` (batch,), float32. Opset 18; the weights are in the file.

    Raises:
        InputError: the ONNX packages are missing, or the method cannot be exported; nothing is written.
        ResourceError: onnxruntime's maps differ by more than 1e-4; nothing is written.
    """
    if not all(find_spec(package) for package in ("onnx", "onnxruntime", "onnxscript")):
        raise InputError("exporting needs an extra: pip install '.[onnx]' in a clone of the repository")
    import onnx
    import onnxruntime

    refused = f"the method {model.name!r} cannot be exported to ONNX"
    network = _MapsAndScores(model.method.cpu(), model.score_size).eval()
    size = model.image_size
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(2, 3, size, size, generator=generator)
    try:
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
    except Exception as error:  # whatever the exporter raises at an operation it does not know
        raise InputError(f"{refused}: {reason(error)}") from None
    assert program is not None
    program.model.metadata_props.update(
        {"method": model.name, "image_size": str(size), "input": "RGB in [0, 1]", "opset": str(OPSET)}
    )
    with open_atomic(path) as temporary:
        with _quiet():
            program.save(str(temporary), external_data=False)
        try:
            onnx.checker.check_model(str(temporary))
            session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
            batches = [torch.rand(batch, 3, size, size, generator=generator) for batch in CHECKED]
            worst = float(np.max([_difference(network, session, images) for images in batches]))
        except Exception as error:  # whatever onnxruntime raises at what it does not take
            raise InputError(
                f"{refused}: the file fails on batches of {' or '.join(map(str, CHECKED))}: {reason(error)}"
            ) from None
        if not worst <= TOLERANCE:
            raise ResourceError(
                f"onnxruntime's maps differ from PyTorch's by {worst:.1e}: nothing was written"
            )
    return worst


def _difference(network: nn.Module, session: Any, images: Tensor) -> float:
    """Return the largest difference of onnxruntime's maps of ``images`` from PyTorch's."""
    with torch.no_grad():
        expected = network(images)[0].numpy()
    return float(np.abs(session.run(["maps"], {"images": images.numpy()})[0] - expected).max())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own progress and warnings off the terminal."""
    silence = contextlib.redirect_stdout(io.StringIO())
    with hushed("torch.onnx", "onnxscript"), warnings.catch_warnings(), silence:
        warnings.simplefilter("ignore")
        yield
