"""Decisions: thresholds in use, p-values, masks and regions, on images and on videos, from runs and from ONNX files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmark.cli.predict import command
from benchmark.decision.thresholds import at_false_alarm_rate
from benchmark.inference import load_run
from benchmark.inference.decide import decider
from benchmark.runs.outputs import ImageScore, write_scores
from benchmark.runs.record import CALIBRATION_FILE
from benchmark.runs.thresholds import Threshold
from cocoad.base.errors import InputError

MakeImage = Callable[..., Path]
THRESHOLDS = (
    Threshold("image", "fpr=0.01", 3.0, "held-out normal images", 3, 0.25),
    Threshold("image", "f1", 2.5, "test set", 9),
    Threshold("pixel", "fpr=0.01", 0.5, "held-out normal images", 300),
    Threshold("pixel", "f1", 0.7, "test set", 900),
)
HELD_OUT = (1.0, 2.0, 3.0)


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)


@pytest.fixture
def deciding_run(trained_run: Path, make_image: MakeImage, tmp_path: Path) -> Path:
    """The run, with thresholds in its record that lie among the scores of two images, and held-out scores."""
    scores = sorted(
        load_run(trained_run).predict(make_image(tmp_path / "in" / f"{n}.png", seed=n)).score for n in (0, 1)
    )
    middle = sum(scores) / 2
    rows = [ImageScore(str(n), f"{n}.png", "a", 0, value) for n, value in enumerate((scores[0] - 1, middle))]
    write_scores(trained_run, rows, CALIBRATION_FILE)
    thresholds = [
        {"level": "image", "rule": "f1", "value": middle, "fitted_on": "test set", "samples": 9},
        {"level": "pixel", "rule": "f1", "value": middle, "fitted_on": "test set", "samples": 9},
    ]
    (trained_run / "result.json").write_text(json.dumps({"dataset": {}, "thresholds": thresholds}))
    return trained_run


def test_without_a_wish_images_go_by_false_alarms_and_pixels_by_f1() -> None:
    both = decider(THRESHOLDS, HELD_OUT)
    assert both.image is not None
    assert both.pixel is not None
    assert (both.image.value, both.pixel.value) == (3.0, 0.7)
    assert "from 3 held-out normal images, which promise 25.0 %" in both.image.said
    assert decider(THRESHOLDS[1:2], ()).image.said == "f1, fitted on the test set"  # type: ignore[union-attr]
    assert decider((), ()).image is None


def test_a_wish_is_a_number_a_rate_or_f1() -> None:
    assert decider(THRESHOLDS, HELD_OUT, "1.5", 0.9).image.value == 1.5  # type: ignore[union-attr]
    assert decider(THRESHOLDS, HELD_OUT, "f1").image.value == 2.5  # type: ignore[union-attr]
    by_rate = decider(THRESHOLDS, HELD_OUT, "fpr=0.5", "fpr=0.01")
    assert by_rate.image.value == at_false_alarm_rate(np.array(HELD_OUT), 0.5)[0]  # type: ignore[union-attr]
    assert by_rate.pixel.value == 0.5  # type: ignore[union-attr]
    said = decider(THRESHOLDS, HELD_OUT, "fpr=0.01").image.said  # type: ignore[union-attr]
    assert "promise 25.0 % (for 1 % hold out 99)" in said


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (("fpr=2", None), "fpr=2: a rate of false alarms lies between 0 and 1"),
        (("nan", None), "decides nothing"),
        (("best", None), "no image threshold 'best': this run has f1; or give --threshold VALUE"),
        (("fpr=0.01", None), "no normal images were held out of this run's training"),
        (
            (None, "fpr=0.01"),
            "no pixel threshold 'fpr=0.01': this run has none; or give --pixel-threshold VALUE",
        ),
    ],
)
def test_a_threshold_that_there_is_not_is_refused(wishes: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        decider(THRESHOLDS[1:2], (), *wishes)


def test_a_decision_has_the_mask_and_regions_in_the_images_own_size() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[0:4, 4:8] = 4.0
    decision = decider(THRESHOLDS, HELD_OUT).decide(4.0, heat, (32, 16))
    assert (decision.anomalous, decision.p_value) == (True, 0.25)
    assert decision.mask is not None
    assert decision.mask.shape == (16, 32)
    (region,) = decision.regions
    assert (region.area, region.peak) == (int(decision.mask.sum()), 4.0)
    assert region.x + region.width == 32
    assert decider(THRESHOLDS, HELD_OUT).decide(3.0, heat, (8, 8)).anomalous is False


def test_all_images_get_decisions_masks_and_regions_in_one_table(deciding_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = predict(deciding_run, tmp_path / "in", "--out", out, "--threshold", "f1")
    assert result.exit_code == 0
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["anomalous", "normal"]
    assert "2 images, 1 anomalous (above" in result.stderr
    document = json.loads((out / "predictions.json").read_text())
    assert (document["images"], document["anomalous"]) == (2, 1)
    with (out / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, one in zip(rows, document["predictions"], strict=True):
        assert (row["image"], float(row["score"])) == (one["image"], one["score"])
        assert int(row["anomalous"]) == one["anomalous"] == (one["score"] > document["threshold"]["value"])
        assert float(row["p_value"]) == one["p_value"] == pytest.approx(1 / 3 if one["anomalous"] else 2 / 3)
        mask = np.asarray(Image.open(out / one["mask"]))
        assert mask.shape == (50, 80)
        assert sorted({0, *np.unique(mask)}) in ([0], [0, 255])
        assert int((mask > 0).sum()) == one["area"] == sum(region["area"] for region in one["regions"])
    assert predict(deciding_run, tmp_path / "in", "--out", out, "--check").exit_code == 1
    model = load_run(deciding_run)
    with Image.open(tmp_path / "in" / "0.png") as image:
        decision = model.decide(np.asarray(image), "f1")
    assert decision.anomalous == document["predictions"][0]["anomalous"]


def test_nothing_is_written_among_the_images(
    deciding_run: Path, tmp_path: Path, make_image: MakeImage
) -> None:
    make_image(tmp_path / "in" / "c.jpg")
    with pytest.raises(InputError, match="in holds images that are to be read: give another --out"):
        predict(deciding_run, tmp_path / "in" / "c.jpg", "--out", tmp_path / "in")
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["0.png", "1.png", "c.jpg"]


def test_a_video_is_predicted_frame_by_frame_with_times(deciding_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "line.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (80, 50))
    noise = np.random.default_rng(0)
    for _ in range(5):
        video.write(noise.integers(0, 255, (50, 80, 3), np.uint8))
    video.release()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    result = predict(deciding_run, path, tmp_path / "broken.mp4", "--every", 2, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "broken.mp4: not a readable video" in result.stderr
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(one["frame"], one["time_s"]) for one in document["predictions"]] == [
        (0, 0.0),
        (2, 0.2),
        (4, 0.4),
    ]
    for one in document["predictions"]:
        assert all((tmp_path / "out" / one[kind]).is_file() for kind in ("map", "overlay", "mask"))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from benchmark.cli.predict import command
command(sys.argv[1:])
"""


@pytest.mark.slow
def test_an_exported_file_predicts_the_same_without_torch(deciding_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from benchmark.inference.onnx import export_onnx

    export_onnx(load_run(deciding_run), tmp_path / "model.onnx")
    predict(deciding_run, tmp_path / "in", "--out", tmp_path / "a")
    words = ["--onnx", tmp_path / "model.onnx", tmp_path / "in", "--out", tmp_path / "b", "--quiet"]
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *map(str, words)], check=True)
    ours, theirs = (json.loads((tmp_path / out / "predictions.json").read_text()) for out in "ab")
    assert ours["threshold"] == theirs["threshold"]
    for one, other in zip(ours["predictions"], theirs["predictions"], strict=True):
        assert other["score"] == pytest.approx(one["score"], abs=1e-4)
        assert (other["anomalous"], other["p_value"]) == (one["anomalous"], one["p_value"])


def test_a_file_that_is_no_export_is_refused(tmp_path: Path, make_image: MakeImage) -> None:
    pytest.importorskip("onnxruntime")
    image = make_image(tmp_path / "in" / "a.png")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    for file, message in (("model.onnx", "not an ONNX file"), ("none.onnx", "no such file")):
        with pytest.raises(InputError, match=message):
            predict("--onnx", tmp_path / file, image, "--out", tmp_path / "out")
