"""``bench export``: the ONNX file alone gives the run's maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmark.cli.export import command
from benchmark.inference import TrainedModel, load_run, onnx
from benchmark.methods.base import OnePassMethod
from benchmark.methods.facts import BUILT_IN
from benchmark.methods.registry import create
from cocoad.base.errors import CocoadError, InputError, ResourceError

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.slow
def test_onnxruntime_gives_the_maps_and_scores_of_the_run_at_any_batch_size(trained_run: Path) -> None:
    result = CliRunner().invoke(command, [str(trained_run)], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.strip() == str(trained_run / "model.onnx")
    assert "opset 18" in result.stderr
    session = onnxruntime.InferenceSession(trained_run / "model.onnx", providers=["CPUExecutionProvider"])
    method = load_run(trained_run).method
    for batch in (1, 2, 5):
        images = torch.rand(batch, 3, 64, 64)
        with torch.no_grad():
            expected = method.anomaly_maps(images)
        maps, scores = session.run(["maps", "scores"], {"images": images.numpy()})
        np.testing.assert_allclose(maps, expected.numpy(), atol=1e-4)
        np.testing.assert_allclose(scores, expected.amax((1, 2)).numpy(), atol=1e-4)
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["method"] == "invad-lite"
    assert metadata["image_size"] == "64"


BACKBONES: dict[str, str | None] = {
    "invad": "test_resnet",
    "invad-lite": "test_resnet",
    "rd": "resnet18",
    "uniad": "test_efficientnet",
    "vitad": "test_vit",
    "dinomaly": "vit_tiny_patch16_224",
    "dinomaly2": "vit_tiny_patch16_dinov3_qkvb",
    "inp-former": "vit_tiny_patch16_224",
    "cflow": "test_resnet",
    "padim": "test_resnet",
    "patchcore": "test_resnet",
    "anomalydino": "test_vit",
    "mean-image": None,
    "feature-distance": "test_resnet",
}


def test_every_method_of_ours_is_tried_below() -> None:
    assert set(BACKBONES) == set(BUILT_IN)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_method_is_exported_for_any_batch_size(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    method = create(name, 64, BACKBONES[name]).eval()
    if isinstance(method, OnePassMethod):
        with torch.no_grad():
            for _ in range(3):
                method.fit_batch(torch.rand(20, 3, 64, 64))
            method.fit_end(torch.Generator().manual_seed(0))
    model = TrainedModel(method, name, image_size=64, device=torch.device("cpu"))
    assert onnx.export_onnx(model, tmp_path / "model.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        images = torch.rand(batch, 3, 64, 64)
        with torch.no_grad():
            expected = method.predict(images)
        found = session.run(["maps", "scores"], {"images": images.numpy()})
        for ours, theirs in zip(expected, found, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-4)


@pytest.mark.slow
def test_an_export_that_differs_leaves_no_file(trained_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    with pytest.raises(ResourceError, match="nothing was written"):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx")
    assert {path.name for path in trained_run.iterdir()} == {"config.yaml", "weights.safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            RuntimeError("bad\n dimensions"),
            "'invad-lite' cannot be exported .* batches of 1 or 3: bad dimensions$",
        ),
        (np.nan, "maps differ from PyTorch's by nan: nothing was written"),
    ],
)
def test_a_batch_that_onnxruntime_refuses_or_spoils_is_one_line_and_leaves_no_file(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch, answer: Exception | float, message: str
) -> None:
    class Session:
        def __init__(self, *args: object, **options: object) -> None: ...

        def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            if isinstance(answer, Exception):
                raise answer
            return [np.full((64, 64), answer if len(inputs["images"]) == 3 else 0, np.float32)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with pytest.raises(CocoadError, match=message):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx")
    assert {path.name for path in trained_run.iterdir()} == {"config.yaml", "weights.safetensors"}


def test_without_the_extra_the_user_is_told_what_to_install(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[onnx\]'"):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx")
