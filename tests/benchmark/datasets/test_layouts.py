"""Each layout, written small and read back; and what is said of one that contradicts itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.dataset import command
from benchmark.datasets import LAYOUTS, REGISTRY, AnomalyDataset, load_dataset
from benchmark.datasets.masks import load_mask
from benchmark.datasets.problems import UnusableDatasetError
from cocoad.base.errors import InputError

SIZE = (12, 8)  # width, height


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, (90, 120, 30)).save(path)


def mask(path: Path, value: int = 255, size: tuple[int, int] = SIZE) -> None:
    """Write a mask whose left half is anomalous."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[:, : size[0] // 2] = value
    Image.fromarray(pixels).save(path)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def official(root: Path) -> None:
    def entry(name: str, anomaly: int = 0) -> dict[str, Any]:
        image(root / name)
        target = f"val2017_mask_ad_20_1/{Path(name).stem}.png" if anomaly else ""
        if anomaly:
            mask(root / target)
        return {
            "img_path": name,
            "mask_path": target,
            "cls_name": "coco",
            "specie_name": "",
            "anomaly": anomaly,
        }

    train = [entry("train2017/000000000009.jpg"), entry("train2017/000000000025.jpg")]
    test = [entry("val2017/000000000139.jpg"), entry("val2017/000000000285.jpg", 1)]
    write_json(root / "meta_20_1.json", {"train": {"coco": train}, "test": {"coco": test}})


def visa(root: Path) -> None:
    lines = ["object,split,label,image,mask"]
    for name in ("candle", "pcb1"):
        data = f"{name}/Data/Images"
        for part, number in (("train", 0), ("train", 1), ("test", 2)):
            image(root / f"{data}/Normal/{number:04}.JPG")
            lines.append(f"{name},{part},normal,{data}/Normal/{number:04}.JPG,")
        image(root / f"{data}/Anomaly/000.JPG")
        mask(root / f"{name}/Data/Masks/Anomaly/000.png", value=2)
        lines.append(f"{name},test,anomaly,{data}/Anomaly/000.JPG,{name}/Data/Masks/Anomaly/000.png")
    (root / "split_csv").mkdir()
    (root / "split_csv/1cls.csv").write_text("\n".join(lines) + "\n")


def real_iad(root: Path, jsons: str = "realiad_jsons/realiad_jsons") -> None:
    for name in ("audiojack", "zipper"):
        names = [f"OK/S000{number}/{name}_{number}.jpg" for number in range(3)]
        for each in [*names, "NG/QS/bad.jpg"]:
            image(root / name / each)
        mask(root / name / "NG/QS/bad.png")
        normal = [
            {"category": name, "anomaly_class": "OK", "image_path": each, "mask_path": None} for each in names
        ]
        bad = {
            "category": name, "anomaly_class": "QS", "image_path": "NG/QS/bad.jpg", "mask_path": "NG/QS/bad.png",
        }  # fmt: skip
        value = {"meta": {"normal_class": "OK"}, "train": normal[:2], "test": [normal[2], bad]}
        write_json(root / jsons / f"{name}.json", value)


def real_iad_sv(root: Path) -> None:
    real_iad(root / "realiad_256", jsons="../realiad_jsons/realiad_jsons_sv")


def meta(root: Path) -> None:
    parts: dict[str, dict[str, list[Any]]] = {"train": {}, "test": {}}
    for name in ("capsule", "pill"):
        for part, count in (("train", 2), ("test", 1)):
            for number in range(count):
                file = f"{name}/{part}/{number}.png"
                image(root / file)
                parts[part].setdefault(name, []).append({"img_path": file, "mask_path": "", "cls_name": name,
                                                         "specie_name": "", "anomaly": 0})  # fmt: skip
        image(root / f"{name}/bad.png")
        mask(root / f"{name}/bad_gt.png")
        parts["test"][name].append({"img_path": f"{name}/bad.png", "mask_path": f"{name}/bad_gt.png",
                                    "cls_name": name, "specie_name": "squeeze", "anomaly": 1})  # fmt: skip
    write_json(root / "meta.json", parts)


def photos(root: Path) -> None:
    for name in ("cap", "lid"):
        for number in range(3):
            image(root / name / f"OK/{number}.png")
        image(root / name / "NG/a.png")
        mask(root / name / "masks/NG/a.png")


def mvtec_3d(root: Path) -> None:
    for name in ("bagel", "rope"):
        for part, defect in (("train", "good"), ("validation", "good"), ("test", "good"), ("test", "hole")):
            image(root / name / part / defect / "rgb/000.png")
            mask(root / name / part / defect / "gt/000.png", 255 if defect == "hole" else 0)


def uni_medical(root: Path) -> None:
    for name in ("brain", "liver"):
        for number in range(2):
            image(root / name / f"train/good/{number}.png")
        image(root / name / "test/good/a.png")
        image(root / name / "test/Ungood/b.png")
        mask(root / name / "ground_truth/Ungood/label_7.png")


def folder(root: Path) -> None:
    for name in ("bottle", "zipper"):
        for number in range(2):
            image(root / name / f"train/good/{number:03}.png")
        image(root / name / "test/good/000.png")
        image(root / name / "test/crack/000.png")
        mask(root / name / "ground_truth/crack/000_mask.png")


WRITERS: dict[str, Callable[[Path], None]] = {
    "official": official, "visa": visa, "real-iad": real_iad, "mvtec-3d": mvtec_3d, "uni-medical": uni_medical,
    "folder": folder, "real-iad-sv": real_iad_sv, "meta": meta, "photos": photos,
}  # fmt: skip


def read(root: Path, **options: Any) -> AnomalyDataset:
    return load_dataset(root, split=1, **options)


def refusal(root: Path) -> str:
    """Return the one line that refuses the dataset at ``root``."""
    with pytest.raises(InputError) as caught:
        read(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_layout_but_the_built_one_is_written_here() -> None:
    assert set(LAYOUTS) == {"built", *WRITERS}
    assert len(REGISTRY) == len(set(LAYOUTS))


@pytest.mark.parametrize("layout", WRITERS)
def test_a_layout_is_recognised_and_all_its_images_are_read(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    data = read(tmp_path)
    per_class = 1 if layout == "official" else 2
    assert data.layout == layout
    assert len(data.classes) == per_class
    assert len(data.train) == 2 * per_class
    assert not any(sample.label for sample in data.train)
    assert sorted(sample.label for sample in data.test) == [0] * per_class + [1] * per_class
    assert len({sample.id for sample in data.train + data.test}) == 4 * per_class
    assert read(tmp_path, layout=layout) == data


@pytest.mark.parametrize("layout", WRITERS)
def test_only_the_left_half_of_an_anomalous_image_is_anomalous(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    for sample in read(tmp_path).test:
        found = load_mask(sample, 8)
        expected = np.zeros((8, 8), bool)
        expected[:, :4] = bool(sample.label)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_missing_mask_is_named(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    bad = next(sample for sample in read(tmp_path).test if sample.label)
    assert bad.mask is not None
    bad.mask.unlink()
    if layout in ("folder", "photos", "uni-medical"):  # nothing says that there should be one
        expected = f"1 of 2 anomalous images have no mask, {bad.id} first: pixel metrics are over the others"
        assert expected in read(tmp_path).notes
    else:
        assert "1 problem: " in (line := refusal(tmp_path))
        assert bad.id in line


@pytest.mark.parametrize("layout", WRITERS)
def test_a_mask_of_another_size_than_its_image_is_refused(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    bad = next(sample for sample in read(tmp_path).test if sample.label)
    assert bad.mask is not None
    mask(bad.mask, size=(6, 8))
    assert f"{bad.id}: the mask is 6x8, the image 12x8" in refusal(tmp_path)


@pytest.mark.parametrize("layout", WRITERS)
def test_the_hash_changes_with_one_byte_of_a_mask(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    bad = next(sample for sample in read(tmp_path).test if sample.label)
    assert bad.mask is not None
    content = bad.mask.read_bytes()
    bad.mask.write_bytes(content + b"\0")
    before = read(tmp_path)
    bad.mask.write_bytes(content + b"\1")
    assert read(tmp_path).hash != before.hash


@pytest.mark.parametrize("layout", WRITERS)
def test_the_hash_changes_with_an_image_of_the_same_size_in_bytes(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    before = read(tmp_path)
    file = before.train[0].image
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    after = read(tmp_path)
    named = layout == "official"  # COCO's names stand for its images
    assert (after.hash == before.hash) == named
    assert (after.train_hash == before.train_hash) == named


def test_all_problems_are_counted_and_the_first_five_shown(tmp_path: Path) -> None:
    folder(tmp_path)
    for number in range(1, 8):
        mask(tmp_path / f"bottle/ground_truth/crack/{number:03}_mask.png", size=(6, 8))
        image(tmp_path / f"bottle/test/crack/{number:03}.png")
    with pytest.raises(UnusableDatasetError) as caught:
        read(tmp_path)
    line = str(caught.value)
    assert "7 problems: " in line
    assert line.endswith("; and 2 more")
    assert line.count("the mask is 6x8") == 5
    assert len(caught.value.details) == 7


def test_a_class_without_training_images_is_refused(tmp_path: Path) -> None:
    visa(tmp_path)
    file = tmp_path / "split_csv/1cls.csv"
    file.write_text("\n".join(s for s in file.read_text().splitlines() if "pcb1,train" not in s))
    assert "class pcb1: no images to train on" in refusal(tmp_path)


def test_a_folder_without_test_images_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    for file in (tmp_path / "zipper/test").rglob("*.png"):
        file.unlink()
    assert "class zipper: no images to test on" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("official", "meta_20_1.json"),
        ("visa", "split_csv/1cls.csv"),
        ("real-iad", "realiad_jsons/realiad_jsons/zipper.json"),
    ],
)
def test_a_list_of_images_cut_short_is_refused_by_name(layout: str, file: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    text = (tmp_path / file).read_text().rstrip()
    (tmp_path / file).write_text(text[: text.rindex(",")])
    assert Path(file).name in refusal(tmp_path)


@pytest.mark.parametrize(
    ("layout", "file", "path"),
    [
        ("official", "meta_20_1.json", "val2017/000000000139.jpg"),
        ("official", "meta_20_1.json", "val2017_mask_ad_20_1/000000000285.png"),
        ("visa", "split_csv/1cls.csv", "candle/Data/Images/Normal/0000.JPG"),
        ("visa", "split_csv/1cls.csv", "candle/Data/Masks/Anomaly/000.png"),
        ("real-iad", "realiad_jsons/realiad_jsons/zipper.json", "OK/S0000/zipper_0.jpg"),
        ("real-iad", "realiad_jsons/realiad_jsons/zipper.json", "NG/QS/bad.png"),
    ],
)
@pytest.mark.parametrize("escape", ["../outside.png", "/etc/outside.png"])
def test_a_path_that_leaves_the_dataset_is_refused(
    layout: str, file: str, path: str, escape: str, tmp_path: Path
) -> None:
    WRITERS[layout](tmp_path)
    text = (tmp_path / file).read_text()
    assert path in text
    (tmp_path / file).write_text(text.replace(path, escape))
    assert f"unsafe path '{escape}'" in refusal(tmp_path)


def test_a_name_longer_than_file_systems_have_is_a_problem_like_another(tmp_path: Path) -> None:
    official(tmp_path)
    file = tmp_path / "meta_20_1.json"
    file.write_text(file.read_text().replace("val2017/000000000139.jpg", f"val2017/{'1' * 300}.jpg"))
    assert "1 problem: " in (line := refusal(tmp_path))
    assert line.endswith(": File name too long")


def test_real_iad_is_read_with_its_lists_beside_the_images_too(tmp_path: Path) -> None:
    real_iad(tmp_path, jsons=".")
    assert read(tmp_path).layout == "real-iad"


def test_real_iad_is_read_as_its_download_unpacks_and_its_views_belong_together(tmp_path: Path) -> None:
    real_iad(tmp_path / "realiad_256", jsons="../realiad_jsons/realiad_jsons")
    data = load_dataset(tmp_path)
    assert (data.layout, data.classes) == ("real-iad", ("audiojack", "zipper"))
    assert data.hash == load_dataset(tmp_path / "realiad_256").hash
    assert {sample.item for sample in data.test if sample.class_name == "zipper"} == {
        "zipper/OK/S0002",
        "zipper/NG/QS",
    }
    real_iad(tmp_path / "realiad_512", jsons="../realiad_jsons/realiad_jsons")
    with pytest.raises(InputError, match=r"several resolutions: give .*realiad_256 or .*realiad_512"):
        load_dataset(tmp_path)


def test_real_iad_variety_is_read_with_its_doubled_folders(tmp_path: Path) -> None:
    real_iad(tmp_path, jsons="realiadvariety_jsons/Real-IAD_Variety_jsons")
    for name in ("audiojack", "zipper"):
        (tmp_path / "realiadvariety_raw" / name).mkdir(parents=True)
        (tmp_path / name).rename(tmp_path / "realiadvariety_raw" / name / name)
    data = load_dataset(tmp_path)
    assert (data.layout, len(data.train), len(data.test)) == ("real-iad", 4, 4)


def test_visa_is_read_while_classes_are_still_missing_and_that_is_said(tmp_path: Path) -> None:
    visa(tmp_path)
    (tmp_path / "candle").rename(tmp_path.parent / f"{tmp_path.name}-candle")
    data = read(tmp_path)
    assert data.classes == ("pcb1",)
    assert "1 of 2 classes are not there: candle" in data.notes


def test_the_command_looks_at_all_masks_and_images(tmp_path: Path) -> None:
    folder(tmp_path)
    crack = "bottle/{}/crack/{}.png"
    for number in ("001", "002"):
        image(tmp_path / crack.format("test", number))
        mask(tmp_path / crack.format("ground_truth", number))
    mask(tmp_path / crack.format("ground_truth", "001"), value=0)
    done = CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert "note: 1 of 4 masks are all black (bottle/test/crack/001 first)\n" in done.stderr
    cut = [tmp_path / crack.format("ground_truth", "002"), tmp_path / "bottle/test/good/000.png"]
    for file in cut:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match=r"2 problems: ") as caught:
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert all(str(file) in str(caught.value) for file in cut)


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    good = tmp_path / "bottle/test/good/000.png"
    good.rename(good.with_name(os.fsdecode(b"\xff8.png")))
    assert r"1 problem: " in (line := refusal(tmp_path))
    assert r"\udcff8.png': a name that is not UTF-8" in line


def test_a_defect_named_with_the_mark_between_groups_is_refused_once(tmp_path: Path) -> None:
    folder(tmp_path)
    for parent in ("bottle/test", "bottle/ground_truth"):
        (tmp_path / parent / "crack").rename(tmp_path / parent / "a;b")
    image(tmp_path / "bottle/test/a;b/001.png")
    mask(tmp_path / "bottle/ground_truth/a;b/001.png")
    assert "1 problem: 'defect:a;b': a name with the ;" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("value", "kind"), [(np.float32(0.5), "floats"), (np.int32(70_000), "32-bit integers")]
)
def test_an_image_without_a_known_white_is_refused(value: Any, kind: str, tmp_path: Path) -> None:
    folder(tmp_path)
    file = tmp_path / "bottle/test/crack/000.png"
    Image.fromarray(np.full(SIZE[::-1], value)).save(file, "TIFF")
    assert f"000.png: not a readable image (its pixels are {kind}: save it with 8 or 16 bits)" in refusal(
        tmp_path
    )


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    official(tmp_path)
    with pytest.raises(InputError, match=r"no split 0: there is meta_20_1\.json"):
        load_dataset(tmp_path, split=0)


def test_an_unknown_directory_is_told_all_layouts(tmp_path: Path) -> None:
    line = refusal(tmp_path)
    assert all(f"{layout} (" in line for layout in LAYOUTS)


def test_the_command_counts_by_class(tmp_path: Path) -> None:
    visa(tmp_path)
    done = CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert "layout visa" in done.stdout.splitlines()[0]
    assert lines[2:] == [["candle", "2", "1", "1"], ["pcb1", "2", "1", "1"], ["total", "4", "2", "2"]]


def test_the_command_prints_json(tmp_path: Path) -> None:
    official(tmp_path)
    done = CliRunner().invoke(command, [str(tmp_path), "--split", "1", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert (found["layout"], found["split"]) == ("official", 1)
    assert found["classes"]["coco"] == {"train_normal": 2, "test_normal": 1, "test_anomalous": 1}


def test_the_command_finds_a_training_image_that_is_no_image(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "bottle/train/good/001.png").write_text("not an image")
    code = "from benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "dataset", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "001.png: not a readable image" in done.stderr
    assert "Traceback" not in done.stderr


def test_reading_a_dataset_needs_no_torch() -> None:
    code = "import sys, benchmark.datasets, benchmark.datasets.counts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_class_picked_is_the_dataset_that_it_is_alone(tmp_path: Path) -> None:
    folder(tmp_path / "one")
    Image.new("RGB", SIZE, (1, 2, 3)).save(tmp_path / "one/zipper/train/good/000.png")
    whole, named, bottle, zipper = (
        load_dataset(tmp_path / "one", classes=classes)
        for classes in ((), ("zipper", "bottle"), ("bottle",), ("zipper",))
    )
    assert whole.hash == named.hash
    assert len({whole.hash, bottle.hash, zipper.hash}) == 3
    (tmp_path / "one/zipper").rename(tmp_path / "renamed")
    assert load_dataset(tmp_path / "renamed").hash == zipper.hash
    assert load_dataset(tmp_path / "one").hash == bottle.hash


def test_corrected_masks_are_another_dataset_with_the_same_training_images(tmp_path: Path) -> None:
    folder(tmp_path)
    before = read(tmp_path)
    mask(tmp_path / "bottle/ground_truth/crack/000_mask.png", value=1)
    after = read(tmp_path)
    assert after.hash != before.hash
    assert after.train_hash == before.train_hash


def test_coco_itself_is_told_to_be_built_first(tmp_path: Path) -> None:
    root = tmp_path / "my coco"
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "instances_val2017.json").write_text("{}")
    with pytest.raises(InputError, match=f"is COCO itself: .*`cocoad build --coco-root '{root}'`"):
        load_dataset(root)
