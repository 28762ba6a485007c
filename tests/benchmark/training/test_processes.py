"""Two processes on the CPU: the gradients, weights and metrics of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.runs.outputs import read_scores
from benchmark.runs.record import read_record
from benchmark.sweep.job import PROGRAM

METHODS = ["invad-lite", "mean-image"]
ARGUMENTS = ["--backbone", "test_resnet", "--weights", "random", "--image-size", "64", "--device", "cpu"]
ARGUMENTS += [
    "--set",
    "recipe.optimizer=sgd",
    "--set",
    "recipe.learning_rate_batch=null",
    "--learning-rate",
    "0.01",
]
# What rounding may do to a metric of pixels: two of them, next to each other in rank, change places.
A_PIXEL = 1 / (3 * 24**2)  # of the anomalous ones
ARGUMENTS += ["--batch-size", "4", "--epochs", "2", "--workers", "0", "--save-maps"]


def bench(processes: int, *arguments: str) -> None:
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    start = launcher if processes > 1 else []
    command = [sys.executable, *start, PROGRAM, "run", *arguments]
    # Convolutions of wider processors round so that the bounds below, which are of AVX2's, are missed by a little.
    own = {"OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next: bench leaderboard") == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_train_and_score_as_one_does(method: str, tiles: Path, tmp_path: Path) -> None:
    for processes in (1, 2):
        out = tmp_path / str(processes)
        bench(processes, "--method", method, "--dataset", str(tiles), "--out", str(out), *ARGUMENTS)
    one, two = (next((tmp_path / name).iterdir()) for name in "12")
    first, second = load_file(one / "weights.safetensors"), load_file(two / "weights.safetensors")
    for name, tensor in first.items():  # plain SGD: equal weights after each step are equal gradients
        torch.testing.assert_close(second[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    for protocol, metrics in read_record(one).metrics.items():
        for metric, value in read_record(two).metrics[protocol].items():
            bound = 1e-6 if metric.startswith("image") else A_PIXEL
            assert value == pytest.approx(metrics[metric], abs=bound), metric
    firsts, seconds = read_scores(one), read_scores(two)
    assert [row.id for row in firsts] == [row.id for row in seconds]
    assert [row.score for row in firsts] == pytest.approx([row.score for row in seconds], rel=1e-5)
    maps = [sorted(path.relative_to(run) for path in run.glob("maps/**/*.npz")) for run in (one, two)]
    assert len(maps[0]) == 6
    assert maps[0] == maps[1]
