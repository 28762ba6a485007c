"""The drawn COCO: what the rest of the toolkit must be able to build on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.coco.outlines import rasterize
from cocoad.coco.partition import categories
from cocoad.dataset.manifest import BuildOptions
from cocoad.sample import draw_annotations, draw_sample
from cocoad.sample.looks import look
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


def test_a_drawn_coco_has_all_that_makes_coco_hard(tmp_path: Path) -> None:
    draw_sample(tmp_path, train=120, val=40, size=96)
    segmentations = []
    bare = gray = 0
    for part in ("train2017", "val2017"):
        instances = json.loads((tmp_path / "annotations" / f"instances_{part}.json").read_bytes())
        assert len(instances["categories"]) == 80
        segmentations += [annotation["segmentation"] for annotation in instances["annotations"]]
        annotated = {annotation["image_id"] for annotation in instances["annotations"]}
        bare += sum(image["id"] not in annotated for image in instances["images"])
        gray += sum(Image.open(path).mode == "L" for path in (tmp_path / part).iterdir())
    assert bare
    assert gray
    assert any(
        isinstance(each, list) and len(each) > 1 for each in segmentations
    )  # cut in two by what is before it
    assert {type(each["counts"]) for each in segmentations if isinstance(each, dict)} == {str, list}


def test_some_crowds_have_holes_that_no_polygon_could_say(tmp_path: Path) -> None:
    draw_sample(tmp_path, train=120, val=1, size=96)
    instances = json.loads((tmp_path / "annotations" / "instances_train2017.json").read_bytes())
    sizes = {image["id"]: (image["height"], image["width"]) for image in instances["images"]}
    crowds = [annotation for annotation in instances["annotations"] if annotation["iscrowd"]]
    holes = 0
    for crowd in crowds:
        mask = rasterize([crowd["segmentation"]], *sizes[crowd["image_id"]], "coco")
        _, parents = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        holes += bool((parents[0][:, 3] >= 0).any())
    assert 0 < holes < len(crowds)


def test_every_category_has_a_look_of_its_own() -> None:
    looks = {look(category.id) for category in categories()}
    assert len(looks) == 80


def test_annotations_alone_build_as_cocos_own_do(tmp_path: Path) -> None:
    draw_annotations(tmp_path / "coco", train=300, val=100)
    report = build_dataset(
        tmp_path / "coco", tmp_path / "ad", options=BuildOptions(allow_missing_images=True)
    )
    assert sorted(report.splits) == ["0", "1", "2", "3"]
    assert not list((tmp_path / "coco").rglob("*.jpg"))


def test_a_directory_that_holds_something_is_not_drawn_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="is not empty"):
        draw_sample(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


@pytest.mark.parametrize("target", [".", "sub/.."])
@pytest.mark.parametrize("draw", [draw_sample, draw_annotations])
def test_the_directory_that_one_is_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, draw: Callable[..., None]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="here is the current directory, or holds it: give another one"):
        draw(Path(target), train=1, val=1)
    assert list(tmp_path.rglob("*")) == [tmp_path / "here"]


@pytest.mark.parametrize("missing", [False, True])
def test_a_link_to_an_empty_or_a_missing_directory_is_followed(tmp_path: Path, missing: bool) -> None:
    if not missing:
        (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    draw_annotations(tmp_path / "link", train=1, val=1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "annotations" / "instances_val2017.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]
