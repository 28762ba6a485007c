"""The page on adding a method: its very example, installed as a package and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.runs.record import read_record

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-method.md"


@pytest.mark.slow
def test_the_example_of_the_documentation_installs_is_listed_and_runs(tmp_path: Path) -> None:
    (code, proof), (project,) = (
        re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL) for kind in ("python", "toml")
    )
    assert len(code.splitlines()) < 50
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "nearest_colour.py").write_text(code)
    (tmp_path / "package" / "pyproject.toml").write_text(project)
    site = tmp_path / "site"
    install = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        site,
        tmp_path / "package",
    ]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install)], check=True)
    random = np.random.default_rng(0)
    for name in ("train/good/0", "train/good/1", "test/good/2", "test/bad/3"):
        pixels = random.integers(80, 120, (64, 64, 3), np.uint8)
        if "bad" in name:
            pixels[20:40, 20:40] = (255, 0, 0)
            mask = np.zeros((64, 64), np.uint8)
            mask[20:40, 20:40] = 255
            (tmp_path / "tiles" / "ground_truth" / "bad").mkdir(parents=True)
            Image.fromarray(mask).save(tmp_path / "tiles" / "ground_truth" / "bad" / "3_mask.png")
        (tmp_path / "tiles" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "tiles" / f"{name}.png")

    def bench(*arguments: str) -> str:
        return python("-m", "benchmark", *arguments)

    def python(*arguments: str) -> str:
        paths = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert re.search(r"nearest-colour +one pass .* nearest-colour", bench("methods"))
    tiles, out = str(tmp_path / "tiles"), str(tmp_path / "runs")
    bench("run", "--method", "nearest-colour", "--dataset", tiles, "--image-size", "64", "--out", out,
          "--set", "options.colours=16")  # fmt: skip
    record = read_record(tmp_path / "runs" / "nearest-colour_tiles_seed-42")
    assert record.metrics["exact"]["image_auroc"] == 1.0
    assert record.method.options == {"colours": 16}
    python("-c", proof)
