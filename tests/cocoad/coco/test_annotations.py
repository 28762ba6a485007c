"""Reading COCO's instances: columns, and every way in which a file can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cocoad.base.errors import InputError
from cocoad.coco.annotations import read_annotations


def test_columns_hold_what_the_file_says(tiny_coco: Any) -> None:
    found = read_annotations(tiny_coco.path("val"), segmentations=True)
    assert found.image_ids.tolist() == [101, 102, 103, 104]
    assert set(found.widths.tolist()) == {12}
    assert set(found.heights.tolist()) == {10}
    assert found.annotation_image_ids.tolist() == [101, 101, 102, 103]
    assert found.annotation_category_ids.tolist() == [1, 47, 80, 22]
    assert found.annotation_is_crowd.tolist() == [False, False, False, True]
    assert json.loads(bytes(found.segmentations[2])) == [[0, 0, 11, 0, 11, 9]]


def test_images_are_sorted_and_annotations_follow_them(tiny_coco: Any) -> None:
    tiny_coco.val["images"].reverse()
    tiny_coco.save()
    found = read_annotations(tiny_coco.path("val"), segmentations=False)
    assert found.image_ids.tolist() == [101, 102, 103, 104]
    assert found.annotation_image_ids.tolist() == [101, 101, 102, 103]
    assert found.segmentations is None


def test_outlines_that_are_not_asked_for_are_not_parsed(tiny_coco: Any) -> None:
    for annotation in tiny_coco.train["annotations"]:
        annotation["segmentation"] = "no outline at all"
    tiny_coco.save()
    assert len(read_annotations(tiny_coco.path("train"), segmentations=False).annotation_ids) == 3


def test_real_annotations_agree_with_pycocotools(shared: Path) -> None:
    from pycocotools.coco import COCO

    path = shared / "data" / "coco-mini" / "annotations" / "instances_val2017.json"
    found, coco = read_annotations(path, segmentations=True), COCO(path)
    assert found.image_ids.tolist() == sorted(coco.getImgIds())
    assert len(found.annotation_ids) == len(coco.anns)
    for row, ident in enumerate(found.annotation_ids.tolist()):
        annotation = coco.anns[ident]
        assert found.annotation_image_ids[row] == annotation["image_id"]
        assert found.annotation_category_ids[row] == annotation["category_id"]
        assert found.annotation_is_crowd[row] == annotation["iscrowd"]
        assert found.annotation_areas[row] == annotation["area"]


Damage = Callable[[dict[str, Any]], None]


def _change(*where: str | int, to: Any) -> Damage:
    def damage(instances: Any) -> None:
        for key in where[:-1]:
            instances = instances[key]
        instances[where[-1]] = to

    return damage


def _drop_category(instances: dict[str, Any]) -> None:
    del instances["categories"][5]


def _drop_categories_key(instances: dict[str, Any]) -> None:
    del instances["categories"]


WRONG = {
    "annotation of an unknown image": (
        _change("annotations", 0, "image_id", to=7),
        "1 annotations are of an unknown image, first annotation 101000 of image 7",
    ),
    "annotation of an unknown category": (
        _change("annotations", 0, "category_id", to=12),
        "1 annotations are of an unknown category, first annotation 101000 of category 12",
    ),
    "a category that is not COCO's": (
        _change("categories", 0, to={"id": 91, "name": "hat"}),
        "category 91 ('hat') is none of COCO's 80",
    ),
    "a category of another name": (
        _change("categories", 0, "name", to="human"),
        "category 1 is 'human', in COCO it is 'person'",
    ),
    "79 categories": (_drop_category, "1 of COCO's 80 categories are absent, first 6"),
    "a category twice": (
        _change("categories", 1, to={"id": 1, "name": "person"}),
        "category id 1 occurs more than once",
    ),
    "no categories": (_drop_categories_key, "missing required field `categories`"),
    "width zero": (_change("images", 1, "width", to=0), "image 102 has no pixels (0×10)"),
    "height below zero": (_change("images", 1, "height", to=-3), "image 102 has no pixels (12×-3)"),
    "an enormous image": (_change("images", 1, "width", to=10**9), "image 102 is too large (1000000000×10)"),
    "a width of a thousand digits": (_change("images", 1, "width", to=10**1000), "$.images[1].width"),
    "a path upwards": (
        _change("images", 0, "file_name", to="../secret.jpg"),
        "unsafe file_name '../secret.jpg'",
    ),
    "an absolute path": (
        _change("images", 0, "file_name", to="/etc/passwd"),
        "unsafe file_name '/etc/passwd'",
    ),
    "an empty path": (_change("images", 0, "file_name", to=""), "unsafe file_name ''"),
    "a path to the folder itself": (_change("images", 0, "file_name", to="."), "unsafe file_name '.'"),
    "a NUL in a path": (_change("images", 0, "file_name", to="a\0.jpg"), "unsafe file_name"),
    "an image twice": (_change("images", 1, "id", to=101), "image id 101 occurs more than once"),
    "an annotation twice": (
        _change("annotations", 1, "id", to=101000),
        "annotation id 101000 occurs more than once",
    ),
    "a negative id": (_change("images", 0, "id", to=-1), "$.images[0].id"),
    "an id that fits no file name": (_change("images", 0, "id", to=10**12), "$.images[0].id"),
    "an image id beyond 64 bits": (_change("images", 0, "id", to=2**70), "$.images[0].id"),
    "an id in words": (_change("annotations", 0, "image_id", to="101"), "Expected `int`, got `str`"),
    "crowd 2": (_change("annotations", 0, "iscrowd", to=2), "$.annotations[0].iscrowd"),
    "an area below zero": (_change("annotations", 0, "area", to=-1), "$.annotations[0].area"),
    "an area of no size": (_change("annotations", 0, "area", to=1e308), "$.annotations[0].area"),
    "images in an object": (_change("images", to={}), "Expected `array`, got `object`"),
}


@pytest.mark.parametrize(("damage", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_instances_are_refused_in_one_line(tiny_coco: Any, damage: Damage, message: str) -> None:
    damage(tiny_coco.val)
    tiny_coco.save()
    with pytest.raises(InputError) as caught:
        read_annotations(tiny_coco.path("val"), segmentations=True)
    text = str(caught.value)
    assert message in text
    assert str(tiny_coco.path("val")) in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "truncated: it ends at byte 0"),
        (b'{"images": [{"id": 1', "truncated: it ends at byte 20"),
        (b'{"images": [}', "not valid JSON at byte 12"),
        (b'{"images": [], "annotations": [{"id": NaN}]}', "not valid JSON at byte 38"),
        (b'{"images": [], "annotations": [], "categories": []} x', "not valid JSON at byte 53"),
        (b"\xef\xbb\xbf{}", "not valid JSON at byte 0"),
        (b"\xff\xfe{\0}\0", "not valid JSON at byte 0"),
        (b"[1, 2]", "not COCO instances"),
        (b'{"images": [{"id": 1, "file_name": "\xff", "width": 1, "height": 1}]}', "UTF-8"),
        (b'{"info": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_with_the_place_where_it_breaks(
    tmp_path: Path, text: bytes, message: str
) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"instances\.json") as caught:
        read_annotations(path, segmentations=False)
    assert message in str(caught.value)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotations_trainval2017\.zip"):
        read_annotations(tmp_path / "none.json", segmentations=False)
    with pytest.raises(InputError, match="is a directory"):
        read_annotations(tmp_path, segmentations=False)


def test_images_that_share_a_file_are_taken_and_reported(tiny_coco: Any) -> None:
    tiny_coco.val["images"][1]["file_name"] = tiny_coco.val["images"][0]["file_name"]
    tiny_coco.save()
    found = read_annotations(tiny_coco.path("val"), segmentations=False)
    assert found.oddities == ("instances_val2017.json: 1 images share their file with another one",)


def test_a_file_without_annotations_is_empty_columns(tiny_coco: Any) -> None:
    tiny_coco.val["annotations"] = []
    tiny_coco.save()
    found = read_annotations(tiny_coco.path("val"), segmentations=True)
    assert found.annotation_rows.dtype == np.int64
    assert found.annotation_rows.size == 0
