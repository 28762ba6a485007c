"""Two nodes under torchrun, here two groups of processes of this machine: the run of one process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.runs.record import read_record

RUN = [
    "run",
    "--method",
    "invad-lite",
    "--backbone",
    "test_resnet",
    "--weights",
    "random",
    "--image-size",
    "64",
]
RUN += ["--device", "cpu", "--batch-size", "4", "--epochs", "1", "--workers", "0", "--learning-rate", "0.01"]
RUN += ["--set", "recipe.optimizer=sgd", "--set", "recipe.learning_rate_batch=null"]
SCRIPTS = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.slow
def test_two_nodes_train_and_score_as_one_process_does(tiles: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    alone = [str(SCRIPTS / "bench"), *RUN, "--dataset", str(tiles), "--out", str(tmp_path / "one")]
    subprocess.run(alone, env=environment, check=True, capture_output=True)

    together = [*RUN, "--dataset", str(tiles), "--out", str(tmp_path / "two")]
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}"]
    nodes = [
        subprocess.Popen(
            [
                str(SCRIPTS / "torchrun"),
                *("--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1"),
                *meeting,
                *("--local-addr", "127.0.0.1", "--no-python", "bench"),
                *together,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [node.communicate() for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert sum(out.count("aupro") for out, _ in said) == 1  # one process speaks for both nodes

    one, two = (next((tmp_path / name).iterdir()) for name in ("one", "two"))
    first, second = load_file(one / "weights.safetensors"), load_file(two / "weights.safetensors")
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    for protocol, metrics in read_record(one).metrics.items():
        assert read_record(two).metrics[protocol] == pytest.approx(metrics, abs=1e-6)
