"""`bench try`, from two folders of photos to a recommendation, a file and a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmark.cli import bench
from cocoad.base.errors import InputError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Sixty good photos, of noise, and twelve bad ones, with a bright square."""
    random = np.random.default_rng(0)
    for index in range(72):
        pixels = random.integers(90, 120, (64, 64, 3)).astype(np.uint8)
        if index >= 60:
            pixels[16:40, 16:40] = 250
        path = tmp_path / "photos" / ("good" if index < 60 else "bad") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "photos"


def bench_try(photos: Path, *words: str) -> Result:
    base = ["try", str(photos / "good"), str(photos / "bad"), "--out", str(photos.parent / "out")]
    more = ["--weights", "random", "--image-size", "64", "--cache", str(photos.parent / "cache"), *words]
    return CliRunner().invoke(bench, [*base, *more], catch_exceptions=False)


@pytest.mark.slow
def test_two_folders_become_a_recommendation_with_threshold_file_and_report(photos: Path) -> None:
    pytest.importorskip("onnxruntime")
    words = ("--methods", "mean-image,padim", "--backbone", "resnet18", "--minutes", "20")
    found = bench_try(photos, *words)
    assert found.exit_code == 0
    assert "1 of 2: mean-image at 64 px" in found.stderr
    out = photos.parent / "out"
    document = json.loads((out / "decision.json").read_text())
    assert document["recommended"] in ("mean-image", "padim")
    assert f"Use {document['recommended']}." in found.stdout
    assert document["threshold"]["rule"] == "fpr=0.01"
    assert document["threshold"]["samples"] == 7  # 15 % of the 48 that are not drawn to test on
    assert "it promises at most 12.5 % of false alarms; for 1 % hold out 99." in found.stdout
    assert (out / "report" / "index.html").is_file()
    predicted = out.parent / "predicted"
    again = ["predict", "--onnx", str(out / "model.onnx"), str(photos / "bad"), "--out", str(predicted)]
    assert CliRunner().invoke(bench, again, catch_exceptions=False).exit_code == 0
    summary = json.loads((predicted / "predictions.json").read_text())
    assert summary["anomalous"] == 12 - document["threshold"]["missed"]["count"]
    before = (out / "runs" / "padim_dataset_seed-42" / "result.json").stat().st_mtime_ns
    assert bench_try(photos, *words).exit_code == 0
    assert (out / "runs" / "padim_dataset_seed-42" / "result.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_method_that_does_not_fit_the_time_is_left_out_with_the_reason(photos: Path) -> None:
    words = ("--methods", "mean-image,invad-lite", "--backbone", "resnet18", "--minutes", "0.02")
    found = bench_try(photos, *words, "--json")
    assert "invad-lite is left out: no time: it takes about" in found.stderr
    assert list(json.loads(found.stdout)["left_out"]) == ["invad-lite"]


def test_without_bad_photos_it_says_what_to_give(photos: Path) -> None:
    shutil.rmtree(photos / "bad")
    words = ["try", str(photos), "--out", str(photos.parent / "out")]
    with pytest.raises(InputError, match="takes good and bad images to test on; give GOOD BAD"):
        CliRunner().invoke(bench, words, catch_exceptions=False)
