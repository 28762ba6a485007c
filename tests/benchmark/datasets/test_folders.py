"""Folders as people and downloads have them: taken, or refused with what lies there; nothing vanishes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets import AnomalyDataset, load_dataset
from cocoad.base.errors import InputError

COUNT = iter(range(1 << 20))


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    number = next(COUNT)  # no two alike
    Image.new("RGB", (16, 12), (number % 251, number // 251, 9)).save(path)
    return path


def mask(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((12, 16), np.uint8)
    pixels[2:9, 3:11] = 255
    Image.fromarray(pixels).save(path)
    return path


def mvtec(root: Path, mask_name: str = "{}_mask.png", good: str = "good", train: str = "train") -> Path:
    for number in range(3):
        image(root / train / good / f"{number}.png")
    image(root / f"test/{good}/7.png")
    for number in (1, 2, 10):
        image(root / f"test/crack/{number}.png")
        mask(root / "ground_truth/crack" / mask_name.format(number))
    return root


def pairs(data: AnomalyDataset) -> dict[str, str | None]:
    return {sample.image.name: sample.mask and sample.mask.name for sample in data.test if sample.label}


def counts(data: AnomalyDataset) -> tuple[int, int, int]:
    anomalous = sum(sample.label for sample in data.test)
    return len(data.train), len(data.test) - anomalous, anomalous


@pytest.mark.parametrize("name", ["brain", "bottle"])
def test_masks_are_paired_by_name_whatever_the_class_is_called(name: str, tmp_path: Path) -> None:
    data = load_dataset(mvtec(tmp_path / name))
    assert data.layout == "folder"
    assert pairs(data) == {"1.png": "1_mask.png", "2.png": "2_mask.png", "10.png": "10_mask.png"}


@pytest.mark.parametrize(
    "mask_name",
    [
        "{}.png",
        "{}_gt.png",
        "{}_GT.PNG",
        "{}_label.bmp",
        "{}_Mask.tif",
        "mask_{}.png",
        "{}.jpg",
        "{}-mask.png",
    ],
)
def test_masks_are_found_under_the_names_that_they_have(mask_name: str, tmp_path: Path) -> None:
    data = load_dataset(mvtec(tmp_path, mask_name))
    assert pairs(data) == {f"{number}.png": mask_name.format(number) for number in (1, 2, 10)}
    assert not data.notes


def test_masks_of_other_names_are_refused_with_both(tmp_path: Path) -> None:
    mvtec(tmp_path, "annotation-of-{}.png")
    with pytest.raises(
        InputError, match=r"3 images have no mask \(1.png first\) and 3 masks no image .*looked for NAME"
    ):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("good", "train"), [("Good", "train"), ("ok", "Train"), ("OK", "training"), ("normal", "train")]
)
def test_the_normal_images_have_many_names(good: str, train: str, tmp_path: Path) -> None:
    mvtec(tmp_path / "a", good=good, train=train)
    mvtec(tmp_path / "b")
    data = load_dataset(tmp_path)
    assert data.classes == ("a", "b")
    assert counts(data) == (6, 2, 6)


def test_training_images_may_lie_right_in_train_and_in_folders_below_good(tmp_path: Path) -> None:
    mvtec(tmp_path / "a")
    mvtec(tmp_path / "b")
    for file in (tmp_path / "a/train/good").iterdir():
        file.rename(tmp_path / "a/train" / file.name)
    (tmp_path / "a/train/good").rmdir()
    image(tmp_path / "b/train/good/monday/0.png")
    assert counts(load_dataset(tmp_path)) == (7, 2, 6)


def test_a_class_half_unpacked_is_refused_and_not_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        mvtec(tmp_path / name)
    (tmp_path / "b/train").rename(tmp_path / "elsewhere")
    (tmp_path / "c/test").rename(tmp_path / "elsewhere/test")
    with pytest.raises(InputError, match="3 problems") as caught:
        load_dataset(tmp_path)
    assert "class c: no test set, which other classes have" in str(caught.value)
    assert "b: 7 images, but no class: looked for train/good and test, there is ground_truth, test" in str(
        caught.value
    )


def test_what_belongs_to_nothing_is_counted_and_named(tmp_path: Path) -> None:
    mvtec(tmp_path)
    image(tmp_path / "train/crack/0.png")
    mask(tmp_path / "ground_truth/crack/99_mask.png")
    (tmp_path / "readme.txt").write_text("")
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "train/good/._0.png").write_text("")
    data = load_dataset(tmp_path)
    assert counts(data) == (3, 1, 3)
    assert data.notes == (
        "2 images belong to nothing and are left out: 1 in ground_truth/crack, 1 in train/crack",
        "1 other files are ignored: readme.txt",
        "2 files of operating systems and notebooks are ignored: .DS_Store, train/good/._0.png",
    )


@pytest.mark.parametrize("place", ["train/good", "test/crack", "ground_truth/crack"])
def test_a_link_whose_target_is_gone_is_refused(place: str, tmp_path: Path) -> None:
    mvtec(tmp_path)
    (tmp_path / place / "gone.png").symlink_to("/nowhere/else.png")
    with pytest.raises(
        InputError, match=f"{place}/gone.png: a link to /nowhere/else.png, which is not there"
    ):
        load_dataset(tmp_path)


def test_a_link_to_itself_and_a_pipe_are_refused(tmp_path: Path) -> None:
    mvtec(tmp_path)
    (tmp_path / "train/good/loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "test/good/pipe.png")
    with pytest.raises(InputError, match=r"2 problems: .*pipe.png: not a regular file") as caught:
        load_dataset(tmp_path)
    assert "loop.png: a link to loop.png, which is not there" in str(caught.value)


def test_a_folder_that_contains_itself_is_refused(tmp_path: Path) -> None:
    mvtec(tmp_path)
    (tmp_path / "train/good/again").symlink_to(tmp_path / "train")
    with pytest.raises(InputError, match="a link to a folder that contains it"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("good", "bad"), [("good", "bad"), ("OK", "NG"), ("ok", "ko"), ("normal", "defect_scratch")]
)
def test_photos_without_a_test_set_get_one(good: str, bad: str, tmp_path: Path) -> None:
    for number in range(20):
        image(tmp_path / good / f"{number}.jpg")
    for number in range(4):
        image(tmp_path / bad / f"deep/{number}.jpg")
    data = load_dataset(tmp_path)
    assert (data.layout, data.drawn) == ("photos", 0.2)
    assert counts(data) == (16, 4, 4)
    assert {group for sample in data.test for group in sample.groups} == {f"defect:{bad}"}
    assert "no masks: image metrics only" in data.notes
    assert "no test set is given: 4 of the normal images were drawn to test on (--test-share)" in data.notes
    again = load_dataset(tmp_path)
    assert again == data
    assert counts(load_dataset(tmp_path, test_share=0.5)) == (10, 10, 4)


def test_a_photo_more_moves_no_other_from_one_part_to_another(tmp_path: Path) -> None:
    for number in range(40):
        image(tmp_path / f"good/{number}.png")
    before = {sample.id for sample in load_dataset(tmp_path, test_share=0.25).test}
    image(tmp_path / "good/new.png")
    after = {sample.id for sample in load_dataset(tmp_path, test_share=0.25).test}
    assert len(before ^ after) <= 2


def test_only_normal_photos_are_a_dataset(tmp_path: Path) -> None:
    for number in range(10):
        image(tmp_path / f"good/{number}.png")
    assert counts(load_dataset(tmp_path)) == (8, 2, 0)


def test_photos_in_no_folder_of_a_known_name_are_told_what_was_looked_for(tmp_path: Path) -> None:
    image(tmp_path / "line1/0.png")
    image(tmp_path / "1.png")
    with pytest.raises(
        InputError, match=r"looked for .* good, ok or normal; there is line1/ \(1 images\), 1.png"
    ):
        load_dataset(tmp_path)


def test_some_masks_are_better_than_none_and_how_many_is_said(tmp_path: Path) -> None:
    mvtec(tmp_path)
    (tmp_path / "ground_truth/crack/10_mask.png").unlink()
    data = load_dataset(tmp_path)
    assert [sample.has_truth for sample in data.test if sample.label].count(False) == 1
    assert data.notes[0].startswith("1 of 3 anomalous images have no mask, test/crack/10 first")


def test_the_same_image_in_train_and_test_is_said(tmp_path: Path) -> None:
    mvtec(tmp_path)
    (tmp_path / "test/good/8.png").write_bytes((tmp_path / "train/good/0.png").read_bytes())
    (tmp_path / "test/good/9.png").write_bytes((tmp_path / "test/crack/1.png").read_bytes())
    notes = " | ".join(load_dataset(tmp_path).notes)
    assert "1 test images are training images too, byte for byte: test/good/8 first" in notes
    assert "are the same image, byte for byte: normal and anomalous" in notes


def test_mvtec_loco_has_several_masks_for_an_image(tmp_path: Path) -> None:
    root = tmp_path / "loco/pushpins"
    for part in (
        "train/good",
        "validation/good",
        "test/good",
        "test/logical_anomalies",
        "test/structural_anomalies",
    ):
        image(root / part / "000.png")
    for kind, number in (("logical_anomalies", 0), ("logical_anomalies", 1), ("structural_anomalies", 0)):
        mask(root / f"ground_truth/{kind}/000/{number:03}.png")
    data = load_dataset(tmp_path / "loco")
    assert counts(data) == (1, 1, 2)
    assert pairs(data) == {"000.png": "000"}
    assert all(sample.has_truth for sample in data.test)
    assert data.notes == ("1 images belong to nothing and are left out: 1 in pushpins/validation/good",)


def test_mvtec_ad_2_is_tested_on_its_public_test_set(tmp_path: Path) -> None:
    root = tmp_path / "ad2/can"
    for part in (
        "train/good",
        "validation/good",
        "test_public/good",
        "test_public/bad",
        "test_private",
        "test_private_mixed",
    ):
        image(root / part / "000_regular.png")
    mask(root / "test_public/ground_truth/bad/000_regular_mask.png")
    data = load_dataset(tmp_path / "ad2")
    assert counts(data) == (1, 1, 1)
    assert pairs(data) == {"000_regular.png": "000_regular_mask.png"}


def test_btad_is_read_through_the_folder_that_its_archive_unpacks_to(tmp_path: Path) -> None:
    for name in ("01", "03"):
        root = tmp_path / "BTech_Dataset_transformed" / name
        for part in ("train/ok", "test/ok", "test/ko"):
            image(root / part / "0000.bmp")
        mask(root / f"ground_truth/ko/0000.{'png' if name == '01' else 'bmp'}")
    data = load_dataset(tmp_path)
    assert data.classes == ("01", "03")
    assert counts(data) == (2, 2, 2)
    assert all(sample.has_truth for sample in data.test)


def test_12_bits_in_files_of_16_are_found_by_all_training_images_together(tmp_path: Path) -> None:
    for place, value in (("train/good/0", 300), ("train/good/1", 4000), ("test/good/0", 500)):
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), value, np.uint16)).save(path)
    data = load_dataset(tmp_path)
    assert {sample.bits for sample in (*data.train, *data.test)} == {12}
    assert "the gray images of 16 bits use 12: 4,095 is taken for white" in data.notes
