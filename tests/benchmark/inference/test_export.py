"""``bench export``: the ONNX file alone gives the run's maps."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmark.cli.export import command
from benchmark.inference import OnnxModel, TrainedModel, load_onnx, load_run, onnx
from benchmark.methods.base import Method, OnePassMethod
from benchmark.methods.facts import BUILT_IN
from benchmark.methods.registry import create
from benchmark.runs.thresholds import Threshold
from cocoad import __version__
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
    assert (metadata["image_size"], metadata["score_size"]) == ("64", "64")


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


def fitted(name: str) -> Method:
    torch.manual_seed(0)
    method = create(name, 64, BACKBONES[name]).eval()
    if isinstance(method, OnePassMethod):
        with torch.no_grad():
            for _ in range(3):
                method.fit_batch(torch.rand(20, 3, 64, 64))
            method.fit_end(torch.Generator().manual_seed(0))
    return method


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_method_is_exported_for_any_batch_size(tmp_path: Path, name: str) -> None:
    method = fitted(name)
    model = TrainedModel(
        method,
        torch.device("cpu"),
        name=name,
        image_size=64,
        bits=12,
        thresholds=(Threshold("image", "f1", 0.5, "test set", 20),),
        held_out=(0.25, 0.1),
    )
    assert onnx.export_onnx(model, tmp_path / "model.onnx") < 1e-4
    assert_says_what_it_is(load_onnx(tmp_path / "model.onnx"), name)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        images = torch.rand(batch, 3, 64, 64)
        with torch.no_grad():
            expected = method.predict(images)
        found = session.run(["maps", "scores"], {"images": images.numpy()})
        for ours, theirs in zip(expected, found, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-4)


def assert_says_what_it_is(exported: OnnxModel, name: str) -> None:
    assert (exported.name, exported.image_size, exported.score_size, exported.bits) == (name, 64, 64, 12)
    assert exported.thresholds == (Threshold("image", "f1", 0.5, "test set", 20),)
    assert exported.held_out == (0.1, 0.25)
    said = exported.session.get_modelmeta().custom_metadata_map
    assert (said["method_version"], said["tool_version"]) == (str(BUILT_IN[name][1].version), __version__)
    encoders = json.loads(said["normalization"])["encoders"]
    assert [each["backbone"] for each in encoders] == ([BACKBONES[name]] if BACKBONES[name] else [])
    assert all(len(each["mean"]) == len(each["std"]) == 3 for each in encoders)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["padim", "uniad"])
def test_half_precision_takes_half_the_room_and_gives_nearly_the_same(tmp_path: Path, name: str) -> None:
    model = TrainedModel(fitted(name), torch.device("cpu"), name=name, image_size=64)
    whole, half = tmp_path / "whole.onnx", tmp_path / "half.onnx"
    onnx.export_onnx(model, whole)
    worst = onnx.export_onnx(model, half, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    pairs = zip(load_onnx(whole).predict_batch(images), load_onnx(half).predict_batch(images), strict=True)
    for one, other in pairs:
        assert other.map.dtype == np.float32
        np.testing.assert_allclose(other.map, one.map, atol=4 * worst)
    metadata = load_onnx(half).session.get_modelmeta().custom_metadata_map
    assert metadata["precision"] == "float16"
    assert not any((Path(folder) / "benchmark.py").is_file() for folder in sys.path)  # onnxruntime has one


@pytest.mark.slow
@pytest.mark.parametrize("name", ["padim", "invad-lite"])
def test_openvino_takes_the_file_and_gives_the_same(tmp_path: Path, name: str) -> None:
    openvino = pytest.importorskip("openvino")
    path = tmp_path / "model.onnx"
    onnx.export_onnx(TrainedModel(fitted(name), torch.device("cpu"), name=name, image_size=64), path)
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 2, 5):
        images = torch.rand(batch, 3, 64, 64).numpy()
        found, expected = model({"images": images}), session.run(["maps", "scores"], {"images": images})
        for output, values in zip(("maps", "scores"), expected, strict=True):
            np.testing.assert_allclose(found[output], values, atol=1e-4)


@pytest.mark.slow
def test_an_export_in_half_precision_that_differs_too_much_is_one_line_and_leaves_no_file(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "HALF_TOLERANCE", 0.0)
    with pytest.raises(ResourceError, match=r"in half precision, .*% of their range: nothing was written"):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx", half=True)
    assert {path.name for path in trained_run.iterdir()} == {"config.yaml", "weights.safetensors"}


@pytest.mark.slow
def test_code_that_cannot_be_exported_is_one_line_that_says_why(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_run(trained_run)
    whole = model.method.anomaly_maps

    def anomaly_maps(images: torch.Tensor) -> torch.Tensor:
        return whole(images) if images.sum() > 0 else images[:, 0]

    monkeypatch.setattr(model.method, "anomaly_maps", anomaly_maps)
    with pytest.raises(InputError) as refused:
        onnx.export_onnx(model, trained_run / "model.onnx")
    said = str(refused.value)
    assert said.startswith("the method 'invad-lite' cannot be exported to ONNX: ")
    assert "\x1b" not in said
    assert "\n" not in said
    assert "Next steps" not in said
    assert not (trained_run / "model.onnx").exists()


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
            "'invad-lite' cannot be exported .* batches of 1, 2 or 5: bad dimensions$",
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
            return [np.full((64, 64), answer if len(inputs["images"]) == 5 else 0, np.float32)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with pytest.raises(CocoadError, match=message):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx")
    assert {path.name for path in trained_run.iterdir()} == {"config.yaml", "weights.safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 96])
def test_the_pages_code_runs_a_file_of_any_size(
    trained_run: Path, make_image: Callable[..., Path], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained_run)
    torch.manual_seed(0)
    method = create("invad-lite", size, "test_resnet").eval()
    thresholds = (Threshold("image", "fpr=0.01", -1.0, "held-out normal images", 99, 0.01),)
    model = TrainedModel(
        method, torch.device("cpu"), name="invad-lite", image_size=size, thresholds=thresholds
    )
    onnx.export_onnx(model, Path("model.onnx"))
    photo = make_image(Path("photo.jpg"))
    page = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "onnx.md"
    code, of_openvino = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["maps"].shape == (1, size, size)
    assert float(names["scores"][0]) == pytest.approx(model.predict(photo).score, abs=1e-4)
    assert names["anomalous"] is True
    if find_spec("openvino"):
        exec(of_openvino, names)
        assert float(names["scores"][0]) == pytest.approx(
            model.predict(photo).score, rel=0.05
        )  # perhaps in bf16


def test_without_the_extra_the_user_is_told_what_to_install(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[onnx\]'"):
        onnx.export_onnx(load_run(trained_run), trained_run / "model.onnx")
