"""A COCO of a few images, and sound datasets of both layouts, to be damaged by the tests of the toolkit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cocoad.base.files import sha256_file
from cocoad.build.builder import build_dataset
from cocoad.coco.partition import categories
from cocoad.export import export_official
from cocoad.sample import draw_sample
from cocoad.verify import Findings, verify

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


class Faulty:
    """A copy of a sound dataset to be damaged; `root` is its COCO root, a copy too."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.directory, self.root = directory, root

    def check(self, **options: Any) -> Findings:
        """Verify it as a user would."""
        return verify(self.directory, **options)


class Built(Faulty):
    """A built dataset."""

    def edit(self, change: Callable[[dict[str, Any]], Any], split: int = 0) -> Any:
        """Change a split's file as a wrong builder would write it: with the right hash in `dataset.json`."""
        path = self.directory / f"split_{split}.json"
        value = json.loads(path.read_bytes())
        concerned = change(value)
        path.write_text(json.dumps(value))
        self.edit_manifest(lambda v: v["splits"][str(split)].update(sha256=sha256_file(path)))
        return concerned

    def edit_manifest(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change `dataset.json`."""
        path = self.directory / "dataset.json"
        value = json.loads(path.read_bytes())
        change(value)
        path.write_text(json.dumps(value))

    @property
    def mask(self) -> Path:
        """The first mask of split 0."""
        return sorted((self.directory / "masks" / "split_0").iterdir())[0]


class Official(Faulty):
    """A dataset in the official layout, which is a COCO root with metas and masks in it."""

    def edit(self, change: Callable[[dict[str, Any]], Any], split: int = 0) -> Any:
        """Change a split's file."""
        path = self.directory / f"meta_20_{split}.json"
        value = json.loads(path.read_bytes())
        concerned = change(value)
        path.write_text(json.dumps(value))
        return concerned

    @property
    def mask(self) -> Path:
        """The first mask of split 0."""
        return sorted((self.directory / "val2017_mask_ad_20_0").iterdir())[0]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn COCO with the same dataset in both layouts: `coco` (and official) and `coco-ad` (built)."""
    place = tmp_path_factory.mktemp("verify")
    draw_sample(place / "coco", train=24, val=24, size=64)
    build_dataset(place / "coco", place / "coco-ad")
    export_official(place / "coco-ad", place / "coco")
    return place


@pytest.fixture
def built(sound: Path, tmp_path: Path) -> Built:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    (tmp_path / "coco-ad" / "coco-root.txt").write_text(str(tmp_path / "coco"))
    return Built(tmp_path / "coco-ad", tmp_path / "coco")


@pytest.fixture
def official(sound: Path, tmp_path: Path) -> Official:
    shutil.copytree(sound / "coco", tmp_path / "coco")
    return Official(tmp_path / "coco", tmp_path / "coco")


@pytest.fixture(scope="session")
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """A function that returns what all files below a directory hold, by their paths."""
    return lambda directory: {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
