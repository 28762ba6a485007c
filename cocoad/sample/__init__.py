"""Drawing a small, licence-free COCO with the real 80 categories, to try things out and to test with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cocoad.base.door import make_callable
from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes
from cocoad.base.staging import staged_directory
from cocoad.coco.partition import SPLITS, categories, partition
from cocoad.sample.full_size import write_annotations
from cocoad.sample.scene import MOST_OBJECTS, draw_scene

GRAY_EVERY, BARE_EVERY = 17, 23  # every so many images: grayscale; without any annotation
JPEG_QUALITY = 92
Advance = Callable[[str, int, int], None]

__all__ = ["draw_annotations", "draw_sample"]


make_callable(__name__, f"{__name__}:draw_sample")


def draw_sample(
    directory: str | Path,
    *,
    train: int = 240,
    val: int = 120,
    size: int = 256,
    seed: int = 0,
    advance: Advance = lambda what, done, total: None,
) -> None:
    """Draw ``train`` and ``val`` images, sides between 3/4 and 1 of ``size`` pixels, in COCO 2017's layout.

    An image's objects all come from one split's twenty categories, so that three of four images are normal to
    a split; how many there are, how large, and before what, does not depend on the categories. Some images are
    grayscale, some have no annotation, crowds come as both forms of RLE, and objects hide parts of one another.
    The directory appears whole or not at all; the same arguments draw the same bytes.

    Raises:
        InputError: the directory is there already and is not empty.
    """
    with _new(Path(directory)) as staging:
        (staging / "annotations").mkdir()
        for part, first, images in (("train2017", 1, train), ("val2017", train + 1, val)):
            (staging / part).mkdir()
            random = np.random.default_rng((seed, train, val, len(part)))
            rows: list[dict[str, Any]] = []
            found: list[dict[str, Any]] = []
            for index in range(images):
                row, annotations = _draw_image(staging / part, first + index, index, size, random)
                rows.append(row)
                for annotation in annotations:
                    found.append({"id": first * 1000 + len(found), "image_id": row["id"], **annotation})
                advance(f"drawing {part}", index + 1, images)
            named = [{"id": category.id, "name": category.name} for category in categories()]
            instances = {
                "info": {},
                "licenses": [],
                "images": rows,
                "annotations": found,
                "categories": named,
            }
            (staging / "annotations" / f"instances_{part}.json").write_bytes(json_bytes(instances))


def draw_annotations(directory: Path, *, train: int = 118_287, val: int = 5_000, seed: int = 0) -> None:
    """Write annotation files alone, as many and as large as COCO's own by default (450 MB), without images.

    Raises:
        InputError: the directory is there already and is not empty.
    """
    with _new(directory) as staging:
        write_annotations(staging, train, val, seed)


def _new(directory: Path) -> Any:
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty: give another directory, or delete it")
    return staged_directory(directory)


def _draw_image(
    folder: Path, ident: int, index: int, size: int, random: np.random.Generator
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw and write an image; return its row and its annotations."""
    width, height = (int(side) for side in random.integers(size * 3 // 4, size + 1, 2))
    held_out = [category.id for category in partition(SPLITS[index % len(SPLITS)]).held_out]
    bare = index % BARE_EVERY == BARE_EVERY - 1
    objects = 0 if bare else int(random.integers(1, MOST_OBJECTS + 1))
    scene = draw_scene(height, width, held_out, objects, random)
    gray = index % GRAY_EVERY == GRAY_EVERY - 1
    pixels = cv2.cvtColor(scene.pixels, cv2.COLOR_BGR2GRAY) if gray else scene.pixels
    name = f"{ident:012d}.jpg"
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    (folder / name).write_bytes(jpeg.tobytes())  # cv2.imwrite does not say why it fails
    return {"id": ident, "file_name": name, "width": width, "height": height}, scene.annotations
