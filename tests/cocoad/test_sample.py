"""The drawn COCO: what the rest of the toolkit must be able to build on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocoad.build import build_dataset
from cocoad.errors import InputError
from cocoad.sample import draw_sample
from cocoad.verify import verify


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_sample(tmp_path / name, train=8, val=4, seed=seed)
    assert files(tmp_path / "a") == files(tmp_path / "b") != files(tmp_path / "c")


def test_a_drawn_coco_builds_into_four_sound_splits_with_both_kinds_of_test_image(tmp_path: Path) -> None:
    draw_sample(tmp_path / "coco", train=40, val=40)
    build_dataset(tmp_path / "coco", tmp_path / "coco-ad")
    assert list(verify(tmp_path / "coco-ad", deep=True)) == []
    for split in range(4):
        text = (tmp_path / "coco-ad" / f"split_{split}.json").read_text()
        assert '"label": 0' in text
        assert '"label": 1' in text


def test_a_directory_that_holds_something_is_not_drawn_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="is not empty"):
        draw_sample(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"
