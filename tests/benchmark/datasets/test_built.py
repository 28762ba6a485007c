"""A dataset that `cocoad build` made."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.datasets import load_dataset
from benchmark.datasets.look import look
from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.dataset.manifest import BuildOptions
from cocoad.dataset.masks import read_mask_png, write_mask_png
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


def test_a_mask_that_was_changed_after_the_build_is_found_before_a_run(tmp_path: Path) -> None:
    draw_sample(tmp_path / "coco", train=12, val=8, size=64)
    build_dataset(tmp_path / "coco", tmp_path / "built")
    data = load_dataset(tmp_path / "built")
    assert look(tmp_path, data.test, image_size=64, pixels=True, workers=0) == []
    changed = [sample for sample in data.test if sample.mask is not None][:2]
    for sample in changed:
        assert sample.mask is not None
        write_mask_png(sample.mask, ~read_mask_png(sample.mask))
    with pytest.raises(InputError, match=r"2 problems: .* was changed after the build") as caught:
        look(tmp_path, data.test, pixels=False, workers=0)
    assert all(str(sample.mask) in str(caught.value) for sample in changed)


def test_the_hash_of_its_training_images_does_not_hang_on_its_masks(tmp_path: Path) -> None:
    draw_sample(tmp_path / "coco", train=12, val=8, size=64)
    for name, options in (("a", BuildOptions()), ("b", BuildOptions(rasterizer="coco"))):
        build_dataset(tmp_path / "coco", tmp_path / name, options=options)
    first, second = load_dataset(tmp_path / "a"), load_dataset(tmp_path / "b")
    assert first.train_hash == second.train_hash
    assert first.hash != second.hash
