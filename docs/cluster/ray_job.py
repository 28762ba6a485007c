"""Run a method on the four splits, one GPU each: ``python ray_job.py METHOD``."""

import subprocess
import sys

import ray


@ray.remote(num_gpus=1, num_cpus=8, max_retries=3)
def run(method: str, split: int) -> int:
    """Return the exit code of one run; a node that dies has it resumed on another."""
    command = ["bench", "run", "--method", method, "--split", str(split), "--resume"]
    return subprocess.run(
        [*command, "--dataset", "/shared/coco-ad", "--out", "/shared/runs"], check=False
    ).returncode


if __name__ == "__main__":
    ray.init()
    codes = ray.get([run.remote(sys.argv[1], split) for split in range(4)])
    sys.exit(max(codes))
