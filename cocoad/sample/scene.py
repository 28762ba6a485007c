"""One drawn image: a background, objects that hide one another, and what COCO would say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from cocoad.sample.ground import background
from cocoad.sample.light import lay
from cocoad.sample.looks import Canvas, Mask, Random, outline, texture

MOST_OBJECTS = 4
CROWD_SHARE = 0.06  # of the objects
LEAST_VISIBLE = 60  # pixels of an object below which it is not annotated


class Scene(NamedTuple):
    """An image (H, W, 3), uint8 BGR, and its annotations without ids."""

    pixels: Canvas
    annotations: list[dict[str, Any]]


def draw_scene(height: int, width: int, categories: Sequence[int], objects: int, random: Random) -> Scene:
    """Draw ``objects`` objects of ``categories``, each in front of those before it."""
    canvas = background(height, width, random)
    drawn: list[tuple[int, bool, Mask]] = []
    for _ in range(objects):
        category = int(random.choice(np.asarray(categories)))
        crowd = bool(random.random() < CROWD_SHARE)
        mask = _draw(canvas, category, crowd, random)
        drawn = [(other, is_crowd, hidden & (1 - mask)) for other, is_crowd, hidden in drawn]
        drawn.append((category, crowd, mask))
    annotations = [
        _annotation(category, crowd, mask, compressed=bool(random.random() < 0.5))
        for category, crowd, mask in drawn
        if mask.sum() >= LEAST_VISIBLE
    ]
    return Scene(cv2.GaussianBlur(canvas, (3, 3), 0.6).astype(np.uint8), annotations)


def _draw(canvas: Canvas, category: int, crowd: bool, random: Random) -> Mask:
    """Draw an object, or a crowd of small ones, onto ``canvas``; return where."""
    height, width = canvas.shape[:2]
    side = min(height, width)
    mask: Mask = np.zeros((height, width), np.uint8)
    middle = random.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
    for _ in range(int(random.integers(5, 9)) if crowd else 1):
        radius = side * float(random.uniform(0.06, 0.1) if crowd else random.uniform(0.14, 0.28))
        centre = middle + (random.normal(0, 0.13 * side, 2) if crowd else 0)
        one: Mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(one, [outline(category, centre, radius, random)], 1)
        lay(canvas, texture(category, (height, width), centre, radius), one, height=4, roundness=0.4)
        mask |= one
    return mask


def _annotation(category: int, crowd: bool, mask: Mask, compressed: bool) -> dict[str, Any]:
    x, y, width, height = cv2.boundingRect(mask)
    return {
        "category_id": category,
        "iscrowd": int(crowd),
        "area": float(mask.sum()),
        "bbox": [float(x), float(y), float(width), float(height)],
        "segmentation": _run_lengths(mask, compressed) if crowd else _rings(mask),
    }


def _rings(mask: Mask) -> list[list[float]]:
    """Return the outer outlines of a mask's parts: several where something in front cuts it in two."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(found, key=cv2.contourArea, reverse=True)
    rings = [ring.reshape(-1, 2) for ring in largest if len(ring) >= 3 and cv2.contourArea(ring) >= 4]
    if not rings:  # thinner than any polygon: its box
        x, y, width, height = cv2.boundingRect(mask)
        rings = [np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])]
    return [ring.ravel().astype(float).tolist() for ring in rings]


def _run_lengths(mask: Mask, compressed: bool) -> dict[str, Any]:
    """Return COCO's run-length encoding, column by column: as text, or as numbers."""
    size = list(mask.shape)
    if compressed:
        return {"size": size, "counts": coco_mask.encode(np.asfortranarray(mask))["counts"].decode("ascii")}
    flat: npt.NDArray[np.uint8] = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": size, "counts": [0, *runs] if flat[0] else runs}
