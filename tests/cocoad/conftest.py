"""A COCO of a few images, to be damaged by the tests of the toolkit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cocoad.partition import categories

PERSON, ELEPHANT, CUP, TOASTER = 1, 22, 47, 80  # one held-out category of each split


@dataclass
class TinyCoco:
    """A COCO root whose instances are plain dictionaries; `save` writes them."""

    root: Path
    train: dict[str, Any]
    val: dict[str, Any]

    def save(self) -> Path:
        """Write both annotation files and return the root."""
        for part, instances in (("train", self.train), ("val", self.val)):
            self.path(part).write_text(json.dumps(instances))
        return self.root

    def path(self, part: str) -> Path:
        """Return the annotation file of ``train`` or ``val``."""
        return self.root / "annotations" / f"instances_{part}2017.json"

    def annotate(self, image_id: int, category_id: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
        """Add an annotation to val2017 (train2017 for images below 100)."""
        instances = self.train if image_id < 100 else self.val
        annotation = {
            "id": 1000 * image_id + len(instances["annotations"]),
            "image_id": image_id,
            "category_id": category_id,
            "iscrowd": crowd,
            "area": 25.0,
            "segmentation": segmentation,
        }
        instances["annotations"].append(annotation)
        return annotation


@pytest.fixture
def tiny_coco(tmp_path: Path) -> TinyCoco:
    """Train images 1 … 4 and val images 101 … 104 of 12 × 10 pixels, the last of each unannotated."""
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    coco = TinyCoco(
        root, _instances(root / "train2017", range(1, 5)), _instances(root / "val2017", range(101, 105))
    )
    square = [[2.9, 2.9, 6.2, 2.9, 6.2, 6.2, 2.9, 6.2]]
    coco.annotate(1, PERSON, square)
    coco.annotate(2, ELEPHANT, square)
    coco.annotate(3, CUP, square)
    coco.annotate(101, PERSON, square)
    coco.annotate(101, CUP, square)
    coco.annotate(102, TOASTER, [[0, 0, 11, 0, 11, 9]])
    coco.annotate(103, ELEPHANT, {"size": [10, 12], "counts": [10, 20, 90]}, crowd=1)
    coco.save()
    return coco


def _instances(folder: Path, ids: range) -> dict[str, Any]:
    folder.mkdir()
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 12, "height": 10} for i in ids]
    for image in images:
        (folder / str(image["file_name"])).touch()
    listed = [{"id": category.id, "name": category.name} for category in categories()]
    return {"info": {}, "licenses": [], "images": images, "annotations": [], "categories": listed}
