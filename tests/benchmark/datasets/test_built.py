"""A dataset that `cocoad build` made."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.datasets import load_dataset
from cocoad.build.builder import build_dataset
from cocoad.dataset.manifest import BuildOptions
from cocoad.sample import draw_sample


@pytest.mark.parametrize(
    ("options", "unofficial"),
    [
        (BuildOptions(), ()),
        (BuildOptions(allow_missing_images=True), ()),
        (BuildOptions(rasterizer="coco", crowd="exclude"), ("rasterizer=coco", "crowd=exclude")),
    ],
)
def test_it_knows_the_options_that_make_it_another_benchmark_than_the_published_one(
    options: BuildOptions, unofficial: tuple[str, ...], tmp_path: Path
) -> None:
    draw_sample(tmp_path / "coco", train=12, val=8, size=64)
    build_dataset(tmp_path / "coco", tmp_path / "built", options=options)
    assert load_dataset(tmp_path / "built").unofficial == unofficial
