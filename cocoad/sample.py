"""Drawing a small, licence-free COCO with the real 80 categories: shapes of their own colour and texture."""

from __future__ import annotations

import colorsys
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cocoad.errors import InputError
from cocoad.files import json_bytes
from cocoad.partition import SPLITS, categories, partition

Pixels = npt.NDArray[np.uint8]
MOST_OBJECTS = 3
GRAY_EVERY, BARE_EVERY, CROWD_EVERY = (
    17,
    23,
    11,
)  # every so many images: grayscale, unannotated; objects: crowds


def draw_sample(directory: Path, *, train: int = 240, val: int = 80, size: int = 256, seed: int = 0) -> None:
    """Draw ``train`` and ``val`` images of about ``size`` pixels, in COCO 2017's layout, into ``directory``.

    An image's objects all come from one split's twenty categories, so that every split has normal images. The
    directory appears whole or not at all.

    Raises:
        InputError: the directory is there already and is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty: give another directory, or delete it")
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "annotations").mkdir(parents=True)
    for part, first, images in (("train2017", 1, train), ("val2017", train + 1, val)):
        random = np.random.default_rng((seed, train, val, len(part)))
        instances = _draw_part(partial / part, first, images, size, random)
        (partial / "annotations" / f"instances_{part}.json").write_bytes(json_bytes(instances))
    if directory.exists():
        directory.rmdir()
    partial.rename(directory)


def _draw_part(
    folder: Path, first: int, images: int, size: int, random: np.random.Generator
) -> dict[str, Any]:
    folder.mkdir()
    rows: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(images):
        width, height = (int(side) for side in random.integers(size * 3 // 4, size + 1, 2))
        canvas = _background(height, width, random)
        held_out = partition(SPLITS[index % len(SPLITS)]).held_out
        objects = 0 if index % BARE_EVERY == BARE_EVERY - 1 else int(random.integers(1, MOST_OBJECTS + 1))
        for _ in range(objects):
            category = held_out[int(random.integers(len(held_out)))].id
            ring = _draw_object(canvas, category, random)
            annotations.append(
                _annotation(len(annotations) + 1, first + index, category, ring, height, width)
            )
        if index % GRAY_EVERY == GRAY_EVERY - 1:
            canvas[:] = canvas.mean(axis=2, keepdims=True).astype(np.uint8)
        name = f"{first + index:012d}.jpg"
        cv2.imwrite(str(folder / name), canvas, [cv2.IMWRITE_JPEG_QUALITY, 92])
        rows.append({"id": first + index, "file_name": name, "width": width, "height": height})
    named = [{"id": category.id, "name": category.name} for category in categories()]
    return {"info": {}, "licenses": [], "images": rows, "annotations": annotations, "categories": named}


def _background(height: int, width: int, random: np.random.Generator) -> Pixels:
    """Return soft noise in muted colours, uint8 (height, width, 3)."""
    coarse = random.integers(90, 150, (6, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = smooth + random.normal(0, 6, (height, width, 3)).astype(np.float32)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _draw_object(canvas: Pixels, category: int, random: np.random.Generator) -> npt.NDArray[np.int32]:
    """Draw one object of ``category`` onto ``canvas``; return its outline, int32 (points, 2)."""
    height, width = canvas.shape[:2]
    radius = float(random.uniform(0.16, 0.3)) * min(height, width)
    centre = random.uniform((radius, radius), (width - radius, height - radius))
    corners, spikes = (
        3 + category % 6,
        0.35 + 0.13 * (category % 5),
    )  # shape: how many corners, how deep between
    angles = np.linspace(0, 2 * np.pi, 2 * corners, endpoint=False) + random.uniform(0, 0.5)
    reach = radius * np.where(np.arange(2 * corners) % 2, spikes, 1.0)
    points = centre + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    outline: npt.NDArray[np.int32] = np.clip(points, 0, (width - 1, height - 1)).astype(np.int32)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [outline], 1)
    canvas[inside > 0] = _texture(height, width, category, random)[inside > 0]
    return outline


def _texture(height: int, width: int, category: int, random: np.random.Generator) -> Pixels:
    """Return a category's pattern in its two colours, uint8 (height, width, 3)."""
    hue = category * 0.618 % 1
    bright, dark = (
        np.array(colorsys.hsv_to_rgb(h, 0.8, v)) * 255 for h, v in ((hue, 0.95), ((hue + 0.4) % 1, 0.45))
    )
    y, x = np.mgrid[:height, :width]
    period, slant = 5 + category % 7, category * np.pi / 9
    wave = np.sin((x * np.cos(slant) + y * np.sin(slant)) * 2 * np.pi / period)
    if category % 3 == 1:  # checks
        wave = wave * np.sin((y * np.cos(slant) - x * np.sin(slant)) * 2 * np.pi / period)
    colours = np.where((wave > 0)[..., None], bright, dark) + random.normal(0, 6, (height, width, 3))
    return np.clip(colours, 0, 255).astype(np.uint8)


def _annotation(
    ident: int, image: int, category: int, outline: npt.NDArray[np.int32], height: int, width: int
) -> dict[str, Any]:
    x, y, w, h = cv2.boundingRect(outline)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline], 1)
    crowd = ident % CROWD_EVERY == 0
    ring = outline.ravel().astype(float).tolist()
    return {
        "id": ident,
        "image_id": image,
        "category_id": category,
        "iscrowd": int(crowd),
        "area": float(mask.sum()),
        "bbox": [x, y, w, h],
        "segmentation": {"size": [height, width], "counts": _counts(mask)} if crowd else [ring],
    }


def _counts(mask: Pixels) -> list[int]:
    """Return COCO's uncompressed run lengths: column by column, beginning with background."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs
