"""Folders of photos become a dataset, with masks from files or from outlines of annotation tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.dataset import command
from benchmark.datasets import load_dataset
from benchmark.datasets.importing import import_photos
from benchmark.datasets.masks import read_mask
from benchmark.datasets.outlines import Outlines, read_outlines
from cocoad.base.errors import InputError
from cocoad.coco.outlines import rasterize

WIDTH, HEIGHT = 40, 30
SQUARE = [5.0, 6.0, 25.0, 6.0, 25.0, 20.0, 5.0, 20.0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    names = [
        *(f"ok/{number}.jpg" for number in range(10)),
        "ng/0.jpg",
        "ng/scratch/1.jpg",
        "ng/scratch/2.jpg",
    ]
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def masks_of(out: Path) -> dict[str, np.ndarray]:
    return {
        sample.id: read_mask(sample.mask)[0] for sample in load_dataset(out).test if sample.mask is not None
    }


def expected() -> np.ndarray:
    return rasterize([[SQUARE]], HEIGHT, WIDTH, "ader").astype(bool)


@pytest.mark.parametrize("copy", [False, True])
def test_photos_become_the_folders_that_everybody_reads(copy: bool, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "line"
    found = import_photos(photos / "ok", photos / "ng", None, out, copy=copy)
    assert found.counts == {"train/good": 8, "test/good": 2, "test/bad": 1, "test/scratch": 2}
    data = load_dataset(out)
    assert (data.layout, data.drawn) == ("folder", None)
    assert (len(data.train), len(data.test)) == (8, 5)
    assert all(sample.image.is_symlink() is not copy for sample in data.train)
    assert "no masks: image metrics only" in data.notes


def test_what_is_drawn_to_test_on_is_the_same_each_time(photos: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        import_photos(photos / "ok", photos / "ng", None, tmp_path / name, test_share=0.5)
    assert load_dataset(tmp_path / "a").hash == load_dataset(tmp_path / "b").hash


def test_masks_are_found_by_name(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "masks/scratch").mkdir(parents=True)
    for name in ("0_mask.png", "scratch/1_GT.png"):
        Image.fromarray(expected().astype(np.uint8)).save(tmp_path / "masks" / name)
    import_photos(photos / "ok", photos / "ng", tmp_path / "masks", tmp_path / "line")
    found = masks_of(tmp_path / "line")
    assert found.keys() == {"test/bad/0", "test/scratch/1"}
    assert all((mask == expected()).all() for mask in found.values())


def test_a_mask_of_no_image_is_refused_and_nothing_is_left(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(expected()).save(tmp_path / "masks/77.png")
    with pytest.raises(InputError, match=r"77.png is the mask of no image of --bad: looked for NAME_mask"):
        import_photos(photos / "ok", photos / "ng", tmp_path / "masks", tmp_path / "line")
    assert not (tmp_path / "line").exists()


def coco(
    name: str = "1.jpg", size: tuple[int, int] = (WIDTH, HEIGHT), segmentation: Any = None
) -> dict[str, Any]:
    image = {"id": 3, "file_name": name, "width": size[0], "height": size[1]}
    annotation = {
        "id": 1,
        "image_id": 3,
        "category_id": 1,
        "segmentation": segmentation or [SQUARE],
        "iscrowd": 0,
    }
    return {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "scratch"}]}


@pytest.mark.parametrize("name", ["1.jpg", "images/scratch/1.jpg", r"images\0a1b2c3d-1.jpg"])
def test_outlines_in_cocos_format_become_masks_as_coco_ads_do(
    name: str, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco(name)))
    import_photos(photos / "ok", photos / "ng", file, tmp_path / "line")
    ((ident, mask),) = masks_of(tmp_path / "line").items()
    assert ident == "test/scratch/1"
    np.testing.assert_array_equal(mask, expected())


def test_labelmes_shapes_become_masks(photos: Path, tmp_path: Path) -> None:
    shapes = [
        {"label": "a", "points": [[5, 6], [25, 20]], "shape_type": "rectangle"},
        {"label": "a", "points": [[30, 25], [33, 25]], "shape_type": "circle"},
    ]
    folder = tmp_path / "labelme"
    folder.mkdir()
    about = {
        "imagePath": "../ng/scratch/2.jpg",
        "imageWidth": WIDTH,
        "imageHeight": HEIGHT,
        "imageData": None,
    }
    (folder / "2.json").write_text(json.dumps({"version": "5", "shapes": shapes, **about}))
    import_photos(photos / "ok", photos / "ng", folder, tmp_path / "line")
    ((ident, mask),) = masks_of(tmp_path / "line").items()
    assert ident == "test/scratch/2"
    assert mask[expected()].all()
    assert 0.7 < (mask.sum() - expected().sum()) / (np.pi * 3**2) < 1.5
    (folder / "2.json").write_text(
        json.dumps({"shapes": [{"points": [[1, 1], [2, 2]], "shape_type": "line"}], **about})
    )
    with pytest.raises(InputError, match="a shape of the type line has no area"):
        import_photos(photos / "ok", photos / "ng", folder, tmp_path / "other")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "9999.jpg"}, "9999.jpg, which has outlines, is no image of --bad"),
        ({"size": (80, 60)}, "outlines for 80x60, the image is 40x30"),
        ({"segmentation": [[1.0, 2.0, 3.0]]}, "a ring has 3 numbers"),
    ],
)
def test_outlines_that_fit_no_image_are_refused(
    changes: dict[str, Any], reason: str, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco(**changes)))
    with pytest.raises(InputError, match=reason):
        import_photos(photos / "ok", photos / "ng", file, tmp_path / "line")


def test_a_file_that_is_no_annotations_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1, 2")
    with pytest.raises(InputError, match=r"x.json: no annotations in COCO's format"):
        read_outlines(tmp_path / "x.json")


def test_label_studios_prefix_is_taken_off_once() -> None:
    outlines = Outlines("01234567-89abcdef-x.jpg", 1, 1, ())
    assert outlines.is_of("89abcdef-x.jpg")
    assert outlines.is_of("01234567-89abcdef-x.jpg")
    assert not outlines.is_of("x.jpg")


def test_the_command_says_what_it_made(photos: Path, tmp_path: Path) -> None:
    words = [
        "import",
        "--good",
        str(photos / "ok"),
        "--bad",
        str(photos / "ng"),
        "--out",
        str(tmp_path / "line"),
    ]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert (
        done.stdout
        == f"{tmp_path / 'line'}: 8 in train/good, 2 in test/scratch, 2 in test/good, 1 in test/bad; 0 masks\n"
    )
    assert done.stderr == f"next: bench dataset {tmp_path / 'line'}\n"
    with pytest.raises(InputError, match="exists: give another --out, or --overwrite"):
        CliRunner().invoke(command, words, catch_exceptions=False)
