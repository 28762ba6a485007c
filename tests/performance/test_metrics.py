"""The evaluation engine's speed and memory beside the usual way and anomalib, each in its own process.

``COCOAD_BENCH_IMAGES`` sets the size of the compared set (default 200 images of 256×256);
``COCOAD_ANOMALIB_PYTHON`` names an interpreter that has anomalib, which then is compared too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.metrics import Evaluator

CONTENDERS = Path(__file__).with_name("metrics_contenders.py")
IMAGES = int(os.environ.get("COCOAD_BENCH_IMAGES", "200"))
COCO_AD_TEST_IMAGES = 4952
pytestmark = [pytest.mark.performance, pytest.mark.slow, pytest.mark.timeout(3600)]


def run(*arguments: object, python: str = sys.executable) -> str:
    command = [python, str(CONTENDERS), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("maps")
    run("make", made, IMAGES)
    return made


@pytest.fixture(scope="module")
def ours(folder: Path) -> dict[str, Any]:
    runs = [json.loads(run("cocoad", folder)) for _ in range(3)]
    return dict(sorted(runs, key=lambda one: one["seconds"])[1])


def compare(name: str, theirs: dict[str, Any], ours: dict[str, Any]) -> float:
    """Print a line of the table and return how many times as fast we are."""
    ratio = float(theirs["seconds"] / ours["seconds"])
    error = max(abs(value - ours["metrics"][metric]) for metric, value in theirs["metrics"].items())
    print(f"\n{IMAGES} maps: {name} {theirs['seconds']:.1f} s, {theirs['peak_bytes'] / 1e6:.0f} MB;", end=" ")
    print(f"cocoad {ours['seconds']:.2f} s, {ours['peak_bytes'] / 1e6:.0f} MB;", end=" ")
    print(f"{ratio:.0f} times as fast; at most {error:.1e} apart")
    assert error < 1e-3
    return ratio


def test_it_is_80_times_as_fast_as_the_usual_way(folder: Path, ours: dict[str, Any]) -> None:
    assert compare("usual", json.loads(run("usual", folder)), ours) >= 80


def test_it_is_40_times_as_fast_as_anomalib(folder: Path, ours: dict[str, Any]) -> None:
    python = os.environ.get("COCOAD_ANOMALIB_PYTHON")
    if python is None:
        pytest.skip("anomalib is not compared: COCOAD_ANOMALIB_PYTHON names no interpreter that has it")
    assert compare("anomalib", json.loads(run("anomalib", folder, python=python)), ours) >= 40


def test_a_whole_coco_ad_test_set_takes_at_most_10_seconds_and_200_megabytes(tmp_path: Path) -> None:
    run("make", tmp_path, COCO_AD_TEST_IMAGES)
    for kind in ("cocoad", "signed"):
        seconds = json.loads(run(kind, tmp_path))["seconds"]
        print(f"\n{COCO_AD_TEST_IMAGES} maps, all metrics, both protocols, {kind}: {seconds:.2f} s")
        assert seconds <= 10
    evaluator = Evaluator()
    maps, masks = (np.load(tmp_path / f"{kind}.npy", mmap_mode="r") for kind in ("maps", "masks"))
    for start in range(0, 320, 32):
        groups = [(f"category:{index % 20}", f"size:{index % 3}") for index in range(32)]
        evaluator.update(maps[start : start + 32], masks[start : start + 32], groups=groups)
    state = sum(array.nbytes for array in evaluator.state_dict().values())
    print(f"state with 23 groups: {state / 1e6:.1f} MB")
    assert state <= 200e6


@pytest.mark.gpu
def test_a_whole_coco_ad_test_set_on_the_gpu_takes_at_most_1_second() -> None:
    import time

    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    masks = torch.zeros((COCO_AD_TEST_IMAGES, 256, 256), dtype=torch.bool, device="cuda")
    masks[1::2, 60:150, 80:170] = True
    maps = torch.rand(masks.shape, device="cuda") + 0.3 * masks
    for _ in range(2):  # the first warms up
        evaluator = Evaluator()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for start in range(0, len(maps), 128):
            evaluator.update(maps[start : start + 128], masks[start : start + 128])
        evaluator.compute()
        seconds = time.perf_counter() - begin
    print(f"\n{COCO_AD_TEST_IMAGES} maps from the GPU: {seconds:.2f} s")
    assert seconds <= 1
