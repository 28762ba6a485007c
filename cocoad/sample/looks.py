"""What the 80 categories look like: each has a shape, a colour and a texture of its own.

The twenty categories that one split holds out share a kind of texture and a range of colours, as real
categories of one kind (animals, food, furniture) share theirs.
"""

from __future__ import annotations

import colorsys
import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cocoad.coco.partition import SPLITS, partition

Canvas = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]  # (H, W), 0 and 1
Points = npt.NDArray[np.int32]  # (N, 2), x and y
Outline = npt.NDArray[np.float64]  # (N, 2), x and y
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


def rounded(corners: Outline, times: int) -> Outline:
    """Cut the corners of a closed outline (N, 2), as Chaikin does, so many times."""
    for _ in range(times):
        following = np.roll(corners, -1, axis=0)
        cut = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1)
        corners = cut.reshape(-1, 2)
    return corners


def outline(category: int, centre: npt.NDArray[np.float64], radius: float, random: Random) -> Points:
    """Return the shape's corner points (N, 2), x and y in pixels, turned and stretched at random."""
    seen = look(category)
    angles = np.linspace(0, 2 * np.pi, 2 * seen.corners, endpoint=False) + random.uniform(0, 2 * np.pi)
    reach = radius * np.where(np.arange(2 * seen.corners) % 2, seen.spikes, 1.0)
    points = reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1) * random.uniform(0.8, 1.0, 2)
    turned: Points = np.round(centre + rounded(points, seen.roundness)).astype(np.int32)
    return turned


def texture(category: int, shape: tuple[int, int], centre: npt.NDArray[np.float64], radius: float) -> Canvas:
    """Return the category's texture (H, W, 3), uint8 BGR, to be cut out by its mask."""
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
    light, dark = colour(seen.hue, 0.75, 0.95), colour(seen.hue + 0.08, 0.9, 0.35)
    colours = share[..., None] * light + (1 - share[..., None]) * dark
    pixels: Canvas = np.clip(colours, 0, 255).astype(np.uint8)
    return pixels


def colour(hue: float, saturation: float, value: float) -> npt.NDArray[np.float64]:
    """Return a colour as BGR of 0 … 255; the hue is taken modulo 1."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value)[::-1]) * 255
