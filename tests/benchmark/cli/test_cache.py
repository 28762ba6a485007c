"""`bench cache`, as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.cache import command
from benchmark.config import RunConfig
from benchmark.datasets import load_dataset
from benchmark.training.data import RunPixels
from cocoad.base.errors import CocoadError, InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw(tmp_path / "tiles", "train/good/0", "train/good/1", "test/good/2")


def draw(folder: Path, *names: str) -> Path:
    random = np.random.default_rng(0)
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    return folder


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
    pixels.unlink()
    with pytest.raises(InputError, match=r"3 of 3 images are not in .*: run bench cache"):
        bench_cache(folder, "--check")
    assert bench_cache(folder, "--clear") == f"deleted {pixels.parent}\n"
    assert not pixels.parent.exists()
    assert bench_cache(folder, "--clear") == f"there is no {pixels.parent} to delete\n"


def test_a_cache_that_cannot_be_deleted_is_not_said_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(f"{path}: not permitted")

    bench_cache(folder)
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(PermissionError):
        bench_cache(folder, "--clear")


def test_a_run_on_some_classes_finds_what_was_cached_of_all(tmp_path: Path) -> None:
    for name in ("bottle", "zipper"):
        draw(tmp_path / "goods", f"{name}/train/good/0", f"{name}/test/good/1")
    bench_cache(tmp_path / "goods")
    config = RunConfig("patchcore", tmp_path / "goods", image_size=32, cache=tmp_path / "home", workers=0)
    some = load_dataset(tmp_path / "goods", classes=["zipper"])
    decoded: list[int] = []
    parts = some.train + some.test
    pixels = RunPixels(config, some, parts, pytest.fail, lambda done, total: decoded.append(done))
    assert len(pixels.rows(some.test).rows([0])) == 1
    assert decoded == []


@pytest.mark.parametrize(("splits", "images"), [((), 5), (("--split", "all"), 5), (("--split", "2"), 3)])
def test_all_splits_of_the_official_layout_are_cached(
    splits: tuple[str, ...], images: int, tmp_path: Path
) -> None:
    coco = tmp_path / "coco"
    for split, test in ((1, "b"), (2, "c")):
        draw(coco, "train2017/a", f"train2017/{split}", f"val2017/{test}")
        train = [{"img_path": f"train2017/{name}.png", "anomaly": 0} for name in ("a", split)]
        meta = {
            "train": {"coco": train},
            "test": {"coco": [{"img_path": f"val2017/{test}.png", "anomaly": 0}]},
        }
        (coco / f"meta_20_{split}.json").write_text(json.dumps(meta))
    assert f"\n{images} images decoded" in bench_cache(coco, *splits)
