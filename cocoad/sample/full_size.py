"""Annotation files of COCO 2017's full size, drawn at random and written fast; there are no images."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cocoad.coco.partition import categories

ANNOTATED = 0.9914  # of the images
PER_IMAGE = {"train": 7.2705, "val": 7.3562}  # annotations, as in COCO 2017
HEIGHT, WIDTH = 480, 640


def write_annotations(root: Path, train: int, val: int, seed: int = 0) -> None:
    """Write ``annotations/instances_{train,val}2017.json`` of so many images below ``root``."""
    rng = np.random.default_rng(seed)
    outlines = [_outline(rng) for _ in range(4_000)]
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    first_id = 1
    for part, images in (("train", train), ("val", val)):
        annotated = max(1, round(images * ANNOTATED))
        total = max(annotated, round(images * PER_IMAGE[part]))
        ids = np.arange(first_id, first_id + images)
        first_id += images
        of = np.concatenate([ids[:annotated], rng.choice(ids[:annotated], total - annotated)])
        with (root / "annotations" / f"instances_{part}2017.json").open("w") as stream:
            stream.write('{"info": {}, "licenses": [], "images": [')
            stream.writelines(_joined(_image(int(ident), part) for ident in ids))
            stream.write('], "annotations": [')
            stream.writelines(_joined(_annotations(rng, outlines, of, first_id)))
            listed = [{"supercategory": "thing", "id": c.id, "name": c.name} for c in categories()]
            stream.write(f'], "categories": {json.dumps(listed)}}}')


def _joined(items: Iterator[str]) -> Iterator[str]:
    return itertools.chain(itertools.islice(items, 1), (", " + item for item in items))


def _image(ident: int, part: str) -> str:
    name = f"{ident:012d}.jpg"
    return (
        f'{{"license": 3, "file_name": "{name}", '
        f'"coco_url": "http://images.cocodataset.org/{part}2017/{name}", '
        f'"height": {HEIGHT}, "width": {WIDTH}, "date_captured": "2013-11-14 11:18:45", '
        f'"flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg", "id": {ident}}}'
    )


def _annotations(
    rng: np.random.Generator, outlines: list[tuple[str, str, int]], of: Any, first_id: int
) -> Iterator[str]:
    # an image shows about three categories, persons being every third annotation, as in COCO
    ids = np.array([category.id for category in categories()])
    palette = rng.choice(ids, (int(of.max()) + 1, 3))
    palette[rng.random(len(palette)) < 0.5, :2] = 1
    kinds = palette[of, rng.integers(0, 3, len(of))].tolist()
    which = rng.integers(0, len(outlines), len(of)).tolist()
    for number, (image, kind, at) in enumerate(zip(of.tolist(), kinds, which, strict=True)):
        segmentation, box, crowd = outlines[at]
        yield (
            f'{{"segmentation": {segmentation}, "area": 1234.5678, "iscrowd": {crowd}, "image_id": {image}, '
            f'"bbox": {box}, "category_id": {kind}, "id": {first_id * 10 + number}}}'
        )


def _outline(rng: np.random.Generator) -> tuple[str, str, int]:
    """Return a segmentation as JSON, its box, and whether it is a crowd (1 of 100, as RLE)."""
    if rng.random() < 0.01:
        counts = rng.multinomial(HEIGHT * WIDTH, np.ones(301) / 301).tolist()
        return json.dumps({"counts": counts, "size": [HEIGHT, WIDTH]}), f"[0, 0, {WIDTH}, {HEIGHT}]", 1
    rings = [_ring(rng) for _ in range(1 + (rng.random() < 0.25))]
    return json.dumps(rings), "[10.0, 10.0, 50.0, 50.0]", 0


def _ring(rng: np.random.Generator) -> list[float]:
    points = int(rng.integers(6, 28))
    angles = np.sort(rng.uniform(0, 2 * np.pi, points))
    radius = np.exp(rng.uniform(np.log(6), np.log(150))) * rng.uniform(0.7, 1.3, points)
    x = np.clip(rng.uniform(0, WIDTH) + radius * np.cos(angles), 0, WIDTH)
    y = np.clip(rng.uniform(0, HEIGHT) + radius * np.sin(angles), 0, HEIGHT)
    ring: list[float] = np.round(np.stack([x, y], 1), 2).ravel().tolist()
    return ring
