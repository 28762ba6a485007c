"""What the 80 categories look like: each has a shape, a colour and a texture of its own.

The twenty categories that one split holds out share a kind of texture and a range of colours, as real
categories of one kind (animals, food, furniture) share theirs.
"""

from __future__ import annotations

import colorsys
import functools
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cocoad.partition import SPLITS, partition

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]  # (H, W), 0 and 1
Points = npt.NDArray[np.int32]  # (N, 2), x and y
Random = np.random.Generator

FAMILY_HUES = (0.97, 0.27, 0.58, 0.13)  # red, green, blue, yellow: the middle of each family's colours


class Look(NamedTuple):
    """A category's look."""

    family: int  # which kind of texture
    corners: int
    spikes: float  # how far the outline goes in between corners, of 1
    roundness: int  # how often the outline's corners are cut
    hue: float
    period: float  # of the texture, as a fraction of the object's radius
    slant: float  # of the texture, radians


@functools.cache
def look(category: int) -> Look:
    """Return the look of the category with this COCO id."""
    for family in SPLITS:
        ids = [held_out.id for held_out in partition(family).held_out]
        if category in ids:
            at = ids.index(category)  # 0 … 19
            return Look(
                family,
                corners=3 + at % 5,
                spikes=(0.95, 0.7, 0.5, 0.38)[at // 5],
                roundness=(0, 2)[at % 2],
                hue=(FAMILY_HUES[family] + 0.15 * (at / 19 - 0.5)) % 1,
                period=0.18 + 0.05 * (at * 7 % 4),
                slant=np.pi * (at * 3 % 20) / 20,
            )
    raise KeyError(category)


def outline(category: int, centre: npt.NDArray[np.float64], radius: float, random: Random) -> Points:
    """Return the shape's corner points (N, 2), x and y in pixels, turned and stretched at random."""
    seen = look(category)
    angles = np.linspace(0, 2 * np.pi, 2 * seen.corners, endpoint=False) + random.uniform(0, 2 * np.pi)
    reach = radius * np.where(np.arange(2 * seen.corners) % 2, seen.spikes, 1.0)
    points = reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * random.uniform(0.8, 1.0, 2)
    for _ in range(seen.roundness):  # Chaikin's corner cutting
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(
            -1, 2
        )
    turned: Points = np.round(centre + points).astype(np.int32)
    return turned


def texture(category: int, shape: tuple[int, int], centre: npt.NDArray[np.float64], radius: float) -> Pixels:
    """Return the category's texture (H, W, 3), uint8 BGR, lit from above, to be cut out by its mask."""
    seen = look(category)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    x, y = (columns - centre[0]) / radius, (rows - centre[1]) / radius
    along = (x * np.cos(seen.slant) + y * np.sin(seen.slant)) * 2 * np.pi / seen.period
    across = (y * np.cos(seen.slant) - x * np.sin(seen.slant)) * 2 * np.pi / seen.period
    patterns = (
        lambda: np.sin(along),  # stripes
        lambda: np.sin(along) * np.sin(across) * 2,  # checks
        lambda: np.cos(along) + np.cos(across) - 0.9,  # dots
        lambda: np.sin(np.hypot(x, y) * 2 * np.pi / seen.period),  # rings
    )
    share = 1 / (1 + np.exp(-6 * patterns[seen.family]()))  # soft edges
    light, dark = (
        np.array(colorsys.hsv_to_rgb(hue, saturation, value)[::-1]) * 255
        for hue, saturation, value in ((seen.hue, 0.75, 0.95), ((seen.hue + 0.08) % 1, 0.9, 0.35))
    )
    colours = share[..., None] * light + (1 - share[..., None]) * dark
    shaded = colours * (1.1 - 0.25 * np.clip(y, -1, 1))[..., None]
    pixels: Pixels = np.clip(shaded, 0, 255).astype(np.uint8)
    return pixels


def background(height: int, width: int, random: Random) -> Pixels:
    """Return ground that looks grown: noise at all scales in earthy colours, with pebbles (H, W, 3), uint8 BGR."""
    heights = np.zeros((height, width), np.float32)
    for octave in range(1, 7):
        coarse = random.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        heights += np.asarray(fine, np.float32) / 1.7**octave
    heights = (heights - heights.mean()) / (heights.std() + 1e-6)
    hue = random.uniform(0.05, 0.45)
    low, high = (
        np.array(colorsys.hsv_to_rgb(hue + turn, saturation, value)[::-1]) * 255
        for turn, saturation, value in ((0.0, 0.35, 0.33), (0.05, 0.22, 0.62))
    )
    share = np.clip(0.5 + heights / 4, 0, 1)[..., None]
    ground = low * (1 - share) + high * share + random.normal(0, 5, (height, width, 1))
    canvas: Pixels = np.clip(ground, 0, 255).astype(np.uint8)
    for _ in range(int(random.integers(6, 16))):  # clutter that no annotation mentions
        centre = tuple(int(side) for side in random.integers(0, (width, height)))
        axes = tuple(int(side) for side in random.integers(3, max(5, min(height, width) // 14), 2))
        gray = float(random.uniform(70, 170))
        tint = (gray * 0.95, gray, gray * 1.05)
        angle = float(random.uniform(0, 180))
        shadow = (centre[0] + 2, centre[1] + 2)
        cv2.ellipse(canvas, shadow, axes, angle, 0, 360, (45, 45, 45), -1, cv2.LINE_AA)
        cv2.ellipse(canvas, centre, axes, angle, 0, 360, tint, -1, cv2.LINE_AA)
    return canvas
