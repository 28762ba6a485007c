"""Large images in tiles: their geometry, and runs that see images so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.cli.run import command as bench_run
from benchmark.config import RunConfig, differences, to_plain
from benchmark.datasets import load_dataset
from benchmark.datasets.cache import CachedRows, cache_of
from benchmark.datasets.cut import cut
from benchmark.inference import load_run
from benchmark.inference.onnx import export_onnx
from benchmark.leaderboard.table import tidy
from benchmark.methods.registry import facts_of
from benchmark.methods.tiled import stitched
from benchmark.runs.collect import load_runs
from benchmark.runs.identity import resolved
from benchmark.runs.outputs import read_scores
from benchmark.runs.record import read_record
from benchmark.tiling import Tiling, tiling
from cocoad.base.errors import InputError
from cocoad.base.images import image_size

SIDES = st.integers(1, 900)


@given(SIDES, SIDES, st.integers(32, 300), st.floats(0, 0.5))
def test_tiles_cover_every_pixel_and_overlap_as_asked(
    width: int, height: int, size: int, share: float
) -> None:
    overlap = int(share * size)
    grid = Tiling(size, overlap).grid(width, height)
    covered = np.zeros((height, width), bool)
    for left, top, right, bottom in grid.boxes:
        assert (right - left, bottom - top) == (min(size, width), min(size, height))
        covered[top:bottom, left:right] = True
    assert covered.all()
    for first, second in zip(grid.boxes, grid.boxes[1:], strict=False):
        if first[1] == second[1]:
            assert first[2] - second[0] >= overlap


@given(SIDES, SIDES, st.integers(32, 300), st.integers(1, 64))
def test_constant_maps_are_stitched_to_a_constant_one(width: int, height: int, size: int, side: int) -> None:
    grid = Tiling(size, size // 4).grid(width, height)
    maps = np.full((len(grid.boxes), 8, 8), 0.25, np.float32)
    np.testing.assert_allclose(stitched(grid, maps, side), 0.25, atol=1e-6)


def test_tiles_of_a_map_are_stitched_to_the_map() -> None:
    y, x = np.mgrid[:240, :320].astype(np.float32)
    whole = np.sin(x / 40) + np.cos(y / 30)
    grid = Tiling(96, 24).grid(320, 240)
    tiles = np.stack([cv2.resize(whole[b:d, a:c], (96, 96)) for a, b, c, d in grid.boxes])
    expected = cv2.resize(whole, (256, 256), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(stitched(grid, tiles, 256), expected, atol=0.03)


@pytest.mark.parametrize(
    ("size", "overlap", "said"),
    [(100, 51, "at most half of --tiles"), (None, 8, "give --tiles PIXELS as well")],
)
def test_an_overlap_that_cannot_be_is_refused(size: int | None, overlap: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tiling(size, overlap)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw photos of a pattern, 480 x 320, some with a dark spot of 7 pixels."""
    root = tmp_path_factory.mktemp("large") / "parts"
    random = np.random.default_rng(7)
    y, x = np.mgrid[:320, :480]
    for kind, count in (("train/good", 6), ("test/good", 4), ("test/spot", 4)):
        for number in range(count):
            pixels = 128 + 40 * np.sin(x / 17 + random.uniform(0, 6)) * np.cos(y / 23)
            pixels += random.normal(0, 6, pixels.shape)
            row, column = random.integers(20, 300), random.integers(20, 460)
            spot = (y - row) ** 2 + (x - column) ** 2 <= 3**2
            name = f"{number:03d}"
            if kind == "test/spot":
                pixels[spot] = 10
                _save(root / "part" / "ground_truth" / "spot" / f"{name}_mask.png", 255 * spot)
            _save(root / "part" / kind / f"{name}.png", np.repeat(pixels[..., None], 3, axis=2))
    return root


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


Run = Callable[..., Path]


@pytest.fixture(scope="module")
def run_on(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs PaDiM on the photos with options more, and returns the run."""
    out = tmp_path_factory.mktemp("runs")

    def run(name: str, *options: object) -> Path:
        words = ["--method", "padim", "--backbone", "resnet18", "--weights", "random", "--dataset", photos]
        words += ["--image-size", 64, "--score-size", 320, "--name", name, "--out", out, "--batch-size", 4]
        result = CliRunner().invoke(bench_run, [str(word) for word in (*words, *options)])
        assert result.exit_code == 0, result.output
        return out / f"{name}_seed-42"

    return run


@pytest.fixture(scope="module")
def tiled(run_on: Run) -> Path:
    return run_on("tiled", "--tiles", 96, "--calibration-share", 0.2)


def test_a_small_defect_is_found_in_tiles_and_missed_without(run_on: Run, tiled: Path) -> None:
    whole = read_record(run_on("whole")).metrics["exact"]
    found = read_record(tiled).metrics["exact"]
    assert found["image_auroc"] == 1
    assert (found["aupro"] or 0) > 0.95
    assert (whole["aupro"] or 0) < 0.8


def test_a_record_tells_the_tiles_and_a_table_sets_them_apart(run_on: Run, tiled: Path) -> None:
    record = read_record(tiled)
    assert (record.dataset.tiles, record.dataset.image_size, record.dataset.score_size) == ([96, 12], 64, 320)
    assert record.dataset.train_normal == 5  # images, of which there are 24 tiles each
    table = tidy(load_runs([tiled, run_on("whole")])[0])
    assert sorted(set(table["tiles"])) == ["", "96/12"]


def test_prediction_sees_images_as_the_run_scored_them(photos: Path, tiled: Path) -> None:
    model = load_run(tiled)
    for row in read_scores(tiled)[::3]:
        found = model.predict(row.image)
        assert found.score == pytest.approx(row.score, rel=1e-4)
        assert found.map.shape == (320, 320)
    decision = model.decide(photos / "part" / "test" / "spot" / "000.png")
    assert decision.anomalous
    assert decision.mask is not None
    assert decision.mask.shape == (320, 480)


def test_an_export_of_a_tiled_run_is_refused(tiled: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a run with --tiles cannot be exported"):
        export_onnx(load_run(tiled), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_cached_tiles_are_those_that_are_decoded(photos: Path, tmp_path: Path) -> None:
    dataset = load_dataset(photos)
    some = cut(photos, dataset.test[:3], Tiling(96, 12))
    cache = cache_of(photos, dataset.test, 32, tmp_path)
    assert cache.fill(some.parts, workers=0) == len(some.parts) == 72
    assert cache.fill(some.parts, workers=0) == 0
    rows = CachedRows(cache, some.parts)
    assert rows.rows(some.indices([1])).shape == (24, 32, 32, 3)
    assert cache.damaged(some.parts, redecoded=72) == []
    with Image.open(dataset.test[1].image) as image:
        left, top, right, bottom = some.grids[1].boxes[7]
        expected = image.crop((left, top, right, bottom)).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(rows.rows([24 + 7])[0], np.asarray(expected))


def test_images_that_cannot_be_cut_are_named(photos: Path, tmp_path: Path) -> None:
    dataset = load_dataset(photos)
    (tmp_path / "broken.png").write_bytes(b"no image")
    broken = replace(dataset.test[0], image=tmp_path / "broken.png")
    with pytest.raises(InputError, match=r"broken\.png"):
        cut(photos, [dataset.test[1], broken], Tiling(96, 12))


def test_tiles_are_a_part_of_what_a_run_is() -> None:
    plain, cut_up = (RunConfig("padim", Path("x"), tiles=tiles) for tiles in (None, 256))
    assert differences(to_plain(plain), to_plain(cut_up)) == ["tiles"]


def test_maps_of_tiles_are_compared_at_their_own_size_whatever_the_method() -> None:
    for method in ("padim", "dinomaly"):  # the latter has a size of its own
        config = RunConfig(method, Path("x"), tiles=256)
        assert resolved(config, facts_of(method)).score_size == 1024
        assert resolved(replace(config, score_size=300), facts_of(method)).score_size == 300


def test_each_header_is_read_once_however_often_the_test_set_is_looked_at(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path) -> tuple[int, int]:
        read.append(path)
        return image_size(path)

    monkeypatch.setattr("benchmark.datasets.cut.image_size", counted)
    words = ["--method", "rd", "--backbone", "test_resnet", "--weights", "random", "--dataset", photos]
    words += ["--tiles", 240, "--image-size", 64, "--score-size", 64, "--batch-size", 4]
    words += ["--epochs", 2, "--evaluate-every", 1]
    result = CliRunner().invoke(bench_run, [str(word) for word in (*words, "--out", tmp_path)])
    assert result.exit_code == 0, result.output
    assert len(read) == len(set(read)) == 14
