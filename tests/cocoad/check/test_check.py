"""What is this COCO, and what is wrong with it: all of it in one call."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.check import check
from cocoad.check.images import look, same_files
from cocoad.cli import cocoad
from cocoad.coco.faults import CATALOGUE
from cocoad.dataset.manifest import BuildOptions, read_dataset, read_split
from cocoad.sample import draw_sample
from cocoad.verify import verify

Instances = dict[str, Any]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "coco"
    draw_sample(root, train=24, val=24, size=64)
    return root


@pytest.fixture
def coco(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A drawn COCO: train images 1 … 24, val images 25 … 48."""
    monkeypatch.delenv("COCO_ROOT", raising=False)
    return Path(shutil.copytree(drawn, tmp_path / "coco"))


def edit(root: Path, part: str, change: Callable[[Instances], Any]) -> None:
    path = root / "annotations" / f"instances_{part}2017.json"
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def image(root: Path, ident: int) -> Path:
    return root / ("train2017" if ident <= 24 else "val2017") / f"{ident:012d}.jpg"


def by_code(root: Path, **options: Any) -> dict[str, list[Any]]:
    return {
        code: [i for f in found for i in f.ids]
        for code, found in check(root, **options).faults.by_code().items()
    }


def test_a_sound_coco_has_no_fault_and_says_what_it_holds(coco: Path) -> None:
    report = check(coco, decode=True)
    assert list(report.faults) == []
    assert report.exit_code == 0
    assert (report.layout, report.parts["val"].images) == ("COCO 2017 as downloaded", 24)


def size_of(path: Path) -> dict[str, int]:
    return dict(zip(("width", "height"), Image.open(path).size, strict=True))


def plant(root: Path) -> dict[str, list[Any]]:
    """Plant a fault of each of many kinds; return what is to be found, by code."""

    def in_val(v: Instances) -> None:
        v["categories"] = [c for c in v["categories"] if c["id"] != 90] + [{"id": 500, "name": "crack"}]
        rows = {row["id"]: row for row in v["images"]}
        rows[26].update(width=0)
        rows[27].update(width=10**6, height=10**6)
        rows[28].update(file_name="../28.jpg")
        rows[29].update(width=rows[29]["width"] + 1)
        rows[30].update(
            width=rows[30]["height"], height=rows[30]["width"] + (rows[30]["width"] == rows[30]["height"])
        )
        v["images"].append(dict(rows[31]))
        v["images"].append({"id": -5, "file_name": "x.jpg", "width": 9, "height": 9})
        a = v["annotations"]
        a.append({**a[0], "id": 1, "segmentation": [[1, 2, 3]]})
        a.append({**a[0], "id": 2, "segmentation": None})
        a.append({**a[0], "id": 3, "image_id": 777})
        a.append({**a[0], "id": 4, "category_id": 13_000})
        a.append({**a[0], "id": 5, "iscrowd": 2})
        a.append({**a[0], "id": 6, "segmentation": [[1, 1, 3, 1, 3, 3]], "area": 900.0, "iscrowd": 0})
        a.append({**a[0], "id": 6, "segmentation": [[1, 1, 3, 1, 3, 3]], "area": 2.0})

    edit(root, "val", in_val)
    image(root, 1).unlink()
    image(root, 2).write_bytes(b"no image")
    image(root, 3).write_bytes(image(root, 3).read_bytes()[:-300])
    data = image(root, 4).read_bytes()
    image(root, 4).write_bytes(data[:-200] + bytes(200))
    shutil.copy(image(root, 40), image(root, 5))
    edit(root, "train", lambda v: v["images"][4].update(size_of(image(root, 40))))
    shutil.copy(image(root, 41), image(root, 42))
    size = size_of(image(root, 41))
    edit(root, "val", lambda v: [r.update(size) for r in v["images"] if r["id"] == 42])
    (root / "val2017" / "._1.jpg").touch()
    return {
        "category-foreign": [500, 90],
        "image-empty": [26],
        "image-too-large": [27],
        "name-unsafe": [28],
        "image-size": [29],
        "image-twice": [31],
        "field-wrong": [-5, 5],
        "outline-wrong": [1, 2],
        "category-unknown": [4],
        "annotation-twice": [6],
        "area-far": [6],
        "images-missing": [1],
        "image-unreadable": [2],
        "image-cut-off": [3, 4],
        "train-in-test": ["train 5 = val 40"],
        "image-duplicate": ["val 41 = val 42"],
        "litter": ["._1.jpg"],
    }


def test_all_planted_faults_are_found_in_one_call_by_kind_with_ids(coco: Path) -> None:
    planted = plant(coco)
    assert len(planted) >= 15
    found = by_code(coco)
    for code, ids in planted.items():
        extra = code == "category-unknown"  # of those of the category that is not there
        assert found.get(code) == ids or (extra and set(found[code]) > set(ids)), code
    assert 3 in found["image-unknown"]  # with the annotations of the images that cannot be taken
    assert check(coco).exit_code == 1


def test_a_build_tells_all_fatal_faults_at_once(coco: Path, tmp_path: Path) -> None:
    plant(coco)
    with pytest.raises(InputError) as caught:
        build_dataset(coco, tmp_path / "ad", options=BuildOptions(allow_missing_images=True))
    text = str(caught.value)
    assert "\n" not in text
    for part in ("'crack'", "image 26 has no pixels", "file_name '../28.jpg'", "a ring has 3 numbers"):
        assert part in text
    assert "(2 of the kind: 1, 2)" in text


def test_the_command_prints_tables_or_json_and_ends_with_the_verdicts_code(coco: Path) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cocoad, ["check", *arguments], standalone_mode=False)

    assert run(str(coco)).return_value == 0
    plant(coco)
    shown = run(str(coco))
    assert shown.return_value == 1
    assert "outline-wrong" in shown.output
    value = json.loads(run(str(coco), "--json").stdout)
    assert (value["format"], value["buildable"]) == ("cocoad-check", False)
    assert {fault["severity"] for fault in value["faults"]} == {"fatal", "repairable", "taken"}
    assert {fault["code"] for fault in value["faults"]} <= CATALOGUE.keys()
    assert isinstance(run(str(coco / "none")).exception, InputError)


def moved(root: Path, **places: str) -> Path:
    """Move a standard COCO's files: ``train`` and ``val`` images, ``train_json`` and ``val_json``, below ``up``."""
    up = root.parent / "up"
    sources = {
        "train": root / "train2017",
        "val": root / "val2017",
        "train_json": root / "annotations" / "instances_train2017.json",
        "val_json": root / "annotations" / "instances_val2017.json",
    }
    for name, place in places.items():
        (up / place).parent.mkdir(parents=True, exist_ok=True)
        sources[name].rename(up / place)
    return up


JSONS = ("annotations/instances_train2017.json", "annotations/instances_val2017.json")
LAYOUTS = {
    "images below images": ("images/train2017", "images/val2017", *JSONS),
    "a root one level too high": ("x/train2017", "x/val2017", *(f"x/{name}" for name in JSONS)),
    "doubled folders": ("train2017/train2017", "val2017/val2017", *JSONS),
    "FiftyOne's": ("train/data", "validation/data", "train/labels.json", "validation/labels.json"),
    "other names": ("imgs/train", "imgs/val", "labels/train.json", "labels/val.json"),
}


@pytest.mark.parametrize("places", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts_that_people_have_give_the_same_dataset_to_the_byte(
    coco: Path, tmp_path: Path, places: tuple[str, ...], files_of: Any
) -> None:
    build_dataset(coco, tmp_path / "plain")
    up = moved(coco, **dict(zip(("train", "val", "train_json", "val_json"), places, strict=True)))
    assert check(up).exit_code == 0
    build_dataset(up, tmp_path / "other")
    one, other = files_of(tmp_path / "plain"), files_of(tmp_path / "other")
    for files in (one, other):
        for name in (
            "coco-root.txt",
            "dataset.json",
        ):  # the names of the annotation files are in the manifest
            files.pop(name)
    assert one == other
    assert not list(verify(tmp_path / "other", deep=True))
    (tmp_path / "other" / "coco-root.txt").unlink()
    assert not list(verify(tmp_path / "other", coco_root=up, deep=True))


def test_images_that_lie_elsewhere_are_named_with_the_option_and_taken_with_it(
    coco: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    for part in ("train", "val"):
        (coco / f"{part}2017").rename(away / part)
    (coco / "thumbs").mkdir()
    (coco / "thumbs" / "a.jpg").touch()
    with pytest.raises(InputError, match=r"has thumbs \(1 images\)\): give --train-images, --val-images"):
        build_dataset(coco, tmp_path / "ad")
    images = {"train_images": away / "train", "val_images": away / "val"}
    assert check(coco, **images).exit_code == 0
    build_dataset(coco, tmp_path / "ad", **images)
    assert not list(verify(tmp_path / "ad"))


def with_floats(v: Instances) -> None:
    for row in v["annotations"]:
        row.update(id=float(row["id"]), iscrowd=bool(row["iscrowd"]), image_id=float(row["image_id"]))
    for row in v["images"]:
        row.update(width=float(row["width"]))


def renumbered(first: int) -> Callable[[Instances], None]:
    def change(v: Instances) -> None:
        new = {c["id"]: n + first for n, c in enumerate(sorted(v["categories"], key=lambda c: c["id"]))}
        for c in v["categories"]:
            c["id"] = new[c["id"]]
        for a in v["annotations"]:
            a["category_id"] = new[a["category_id"]]

    return change


def named(pattern: str) -> Callable[[Instances], None]:
    def change(v: Instances) -> None:
        for row in v["images"]:
            part = "train" if row["id"] <= 24 else "val"
            row["file_name"] = pattern.format(part=part, name=row["file_name"])

    return change


TAKEN: dict[str, tuple[Callable[[Instances], Any], str]] = {
    "whole floats and booleans": (with_floats, "numbers-as-floats"),
    "long annotation ids": (lambda v: [a.update(id=a["id"] + 2**70) for a in v["annotations"]], ""),
    "categories from 0": (renumbered(0), "categories-by-name"),
    "categories from 1": (renumbered(1), "categories-by-name"),
    "names with their folder": (named("{part}2017/{name}"), "names-with-folder"),
    "names with a backslash": (named("{part}2017\\{name}"), "names-with-folder"),
    "names with ./": (named("./{name}"), "names-with-folder"),
    "absolute names": (named("/home/me/coco/{part}2017/{name}"), "names-with-folder"),
}


@pytest.mark.parametrize(("change", "code"), TAKEN.values(), ids=TAKEN.keys())
def test_numbers_and_names_as_converters_write_them_give_the_same_splits(
    coco: Path, tmp_path: Path, change: Callable[[Instances], Any], code: str
) -> None:
    build_dataset(coco, tmp_path / "plain")
    for part in ("train", "val"):
        edit(coco, part, change)
    report = check(coco)
    assert report.exit_code == 0
    assert report.faults.by_code().keys() == ({code} if code else set())
    build_dataset(coco, tmp_path / "other")
    assert read_dataset(tmp_path / "other").splits == read_dataset(tmp_path / "plain").splits
    assert bool(read_dataset(tmp_path / "other").notes) == bool(code)


def test_outlines_in_shares_of_the_image_are_refused_as_that(coco: Path, tmp_path: Path) -> None:
    def normalise(v: Instances) -> None:
        size = {row["id"]: (row["width"], row["height"]) for row in v["images"]}
        for a in v["annotations"]:
            if isinstance(a["segmentation"], list):
                a["segmentation"] = [
                    [c / size[a["image_id"]][n % 2] for n, c in enumerate(r)] for r in a["segmentation"]
                ]

    edit(coco, "val", normalise)
    assert "outlines-normalised" in by_code(coco)
    with pytest.raises(InputError, match="outlines lie within 0 … 1, as shares of the image"):
        build_dataset(coco, tmp_path / "ad")


def test_sides_swapped_in_the_annotations_are_said_as_that(coco: Path) -> None:
    def swap(v: Instances) -> None:
        for row in v["images"]:
            row["width"], row["height"] = row["height"], row["width"]
        v["annotations"] = [a for a in v["annotations"] if isinstance(a["segmentation"], list)]

    edit(coco, "val", swap)
    found = by_code(coco)
    assert len(found["sides-swapped"]) > 12
    assert "image-size" not in found


KINDS = {
    "panoptic": ({"annotations": [{"segments_info": []}]}, "panoptic segmentation"),
    "captions": ({"annotations": [{"caption": "a cat"}]}, "captions"),
    "keypoints": ({"annotations": [{"keypoints": [1]}]}, "person keypoints"),
    "LVIS": (
        {"annotations": [{"id": 1}], "categories": [{"id": 1, "synset": "a.n.01", "name": "a"}]},
        "LVIS",
    ),
}


@pytest.mark.parametrize(("value", "what"), KINDS.values(), ids=KINDS.keys())
def test_other_files_of_coco_are_named_as_what_they_are(
    coco: Path, tmp_path: Path, value: Instances, what: str
) -> None:
    whole = {"images": [{"id": 1}], "categories": [], **value}
    (tmp_path / "other.json").write_text(json.dumps(whole))
    with pytest.raises(InputError, match=f"other.json: not COCO instances: {what}"):
        build_dataset(coco, tmp_path / "ad", val_annotations=tmp_path / "other.json")


def test_one_file_under_two_ids_with_two_labels_is_no_sound_dataset(coco: Path, tmp_path: Path) -> None:
    def share(v: Instances) -> None:
        one, other = 25, 26
        rows = {row["id"]: row for row in v["images"]}
        rows[other].update({key: rows[one][key] for key in ("file_name", "width", "height")})
        v["annotations"] = [a for a in v["annotations"] if isinstance(a["segmentation"], list)]

    edit(coco, "val", share)
    assert by_code(coco)["file-two-labels"] == [25, 26]
    build_dataset(coco, tmp_path / "ad")
    assert "file-two-labels" in verify(tmp_path / "ad").by_code()


def test_the_end_of_an_image_tells_whether_it_is_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    for name in ("a.jpg", "a.png"):
        path = tmp_path / name
        Image.fromarray(pixels).save(path)
        data = path.read_bytes()
        assert look(path, (50, 40), decode=True) is None
        path.write_bytes(data[:-300])
        assert (look(path, None) or ("",))[0] == "image-cut-off"
        path.write_bytes(data[:-300] + bytes(300))
        assert "zeros" in (look(path, None) or ("", ""))[1]
        path.write_bytes(data + b"\0" * 100)
        assert look(path, (50, 40)) is None
    broken = bytearray((tmp_path / "a.png").read_bytes())
    broken[len(broken) // 2] ^= 255
    (tmp_path / "a.png").write_bytes(broken)
    assert (look(tmp_path / "a.png", None, decode=True) or ("",))[0] == "image-damaged"


def test_files_are_the_same_by_their_bytes_not_their_names_or_sizes(tmp_path: Path) -> None:
    contents = {"a": b"1" * 9000, "b": b"1" * 9000, "c": b"2" + b"1" * 8999, "d": b"1", "e": b"", "f": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert same_files((name, tmp_path / name) for name in (*contents, "missing")) == [["a", "b"]]


def test_real_images_and_annotations_have_no_fault_but_what_is_taken(shared: Path) -> None:
    report = check(shared / "data" / "coco-mini", decode=True)
    assert report.exit_code == 0
    assert report.faults.by_code().keys() <= {"outline-odd", "area-far", "id-in-both"}


def test_a_train_image_that_is_a_test_image_byte_for_byte_is_found_by_verify(
    coco: Path, tmp_path: Path
) -> None:
    build_dataset(coco, tmp_path / "ad")
    split = read_split(tmp_path / "ad", 0)
    tested, trained = split.test[0], split.train[0]
    shutil.copy(coco / tested.image, coco / trained.image)
    found = verify(tmp_path / "ad").by_code()
    assert trained.id in [i for f in found["train-in-test"] for i in f.ids]
