"""`bench cache`, as a person uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.cache import command
from cocoad.errors import CocoadError, InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("train/good/0", "train/good/1", "test/good/2"):
        path = tmp_path / "tiles" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    return tmp_path / "tiles"


def bench_cache(folder: Path, *arguments: str) -> str:
    home = str(folder.parent / "home")
    arguments = (str(folder), "--image-size", "32", "--workers", "0", "--cache", home, *arguments)
    return CliRunner().invoke(command, arguments, catch_exceptions=False).output


def test_a_cache_is_announced_filled_checked_and_cleared(folder: Path) -> None:
    with pytest.raises(InputError, match=r"3 of 3 images are not in .*: run bench cache"):
        bench_cache(folder, "--check")
    said = bench_cache(folder)
    assert "3 images, 0.00 GB more in" in said
    assert "3 images decoded" in said
    assert "0 images decoded" in bench_cache(folder)
    assert bench_cache(folder, "--check").startswith("sound: 3 images")
    pixels = next((folder.parent / "home").glob("*/pixels.u8"))
    pixels.write_bytes(bytes(len(pixels.read_bytes())))
    with pytest.raises(CocoadError, match="3 of 3 images are damaged"):
        bench_cache(folder, "--check")
    bench_cache(folder, "--clear")
    assert not pixels.exists()
