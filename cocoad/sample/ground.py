"""What lies behind the annotated objects: ground that looks grown, and litter that no annotation mentions."""

from __future__ import annotations

import cv2
import numpy as np

from cocoad.sample.light import lay
from cocoad.sample.looks import Canvas, Mask, Outline, Points, Random, colour, rounded

LEAST_LITTER, MOST_LITTER = 8, 22  # pieces in an image


def background(height: int, width: int, random: Random) -> Canvas:
    """Return ground with pebbles, leaves and twigs on it, lit from one side (H, W, 3), uint8 BGR."""
    canvas = _earth(height, width, random)
    for _ in range(int(random.integers(LEAST_LITTER, MOST_LITTER))):
        kind = (_pebble, _pebble, _leaf, _twig)[int(random.integers(4))]
        kind(canvas, random)
    return canvas


def _earth(height: int, width: int, random: Random) -> Canvas:
    """Noise at all scales in earthy colours, brighter towards one side."""
    heights = np.zeros((height, width), np.float32)
    for octave in range(1, 8):
        coarse = random.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        heights += np.asarray(fine, np.float32) / 1.6**octave
    heights = (heights - heights.mean()) / (heights.std() + 1e-6)
    hue = random.uniform(0.05, 0.45)
    low, high = (
        colour(hue + turn, saturation, value)
        for turn, saturation, value in ((0.0, 0.38, 0.30), (0.05, 0.22, 0.62))
    )
    share = np.clip(0.5 + heights / 4, 0, 1)[..., None]
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 + 0.16 * (columns * np.cos(angle) + rows * np.sin(angle))
    ground = (low * (1 - share) + high * share) * light[..., None] + random.normal(0, 5, (height, width, 1))
    pixels: Canvas = np.clip(ground, 0, 255).astype(np.uint8)
    return pixels


def _pebble(canvas: Canvas, random: Random) -> None:
    height, width = canvas.shape[:2]
    corners = int(random.integers(5, 9))
    radius = random.uniform(0.015, 0.05) * min(height, width) + 2
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = radius * random.uniform(0.7, 1.1, corners)[:, None] * random.uniform(0.6, 1.0, 2)
    _lay(canvas, rounded(reach * np.stack([np.cos(angles), np.sin(angles)], 1), 3), random, 0.10, 0.12)


def _leaf(canvas: Canvas, random: Random) -> None:
    """Two arcs that meet in points, with a midrib."""
    length = random.uniform(0.04, 0.1) * min(canvas.shape[:2]) + 3
    along = np.linspace(-1, 1, 12)
    across = (1 - along**2) * random.uniform(0.25, 0.5)
    blade = np.concatenate([np.stack([along, across], 1), np.stack([along[::-1], -across[::-1]], 1)]) * length
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    hue = float(random.choice([0.08, 0.12, 0.22, 0.28]))
    at = _lay(canvas, blade @ turn.T, random, hue, random.uniform(0.35, 0.55))
    ends = np.round(at + np.array([[-1, 0], [1, 0]]) * length @ turn.T).astype(int).tolist()
    cv2.line(canvas, ends[0], ends[1], colour(hue, 0.4, 0.25).tolist(), 1, cv2.LINE_AA)


def _twig(canvas: Canvas, random: Random) -> None:
    """A crooked line that tapers."""
    side = min(canvas.shape[:2])
    steps = np.cumsum(random.normal(0, 0.25, 6)) + random.uniform(0, 2 * np.pi)
    spine = np.cumsum(np.stack([np.cos(steps), np.sin(steps)], 1), axis=0) * side * random.uniform(0.02, 0.05)
    normal = np.stack([-np.sin(steps), np.cos(steps)], 1) * np.linspace(0.008, 0.003, 6)[:, None] * side
    _lay(canvas, np.concatenate([spine + normal, (spine - normal)[::-1]]), random, 0.07, 0.35)


def _lay(canvas: Canvas, outline: Outline, random: Random, hue: float, saturation: float) -> Outline:
    """Draw an outline (N, 2) around the origin in one colour somewhere on the canvas; return where, (2,)."""
    height, width = canvas.shape[:2]
    at = random.uniform((0, 0), (width, height))
    mask: Mask = np.zeros((height, width), np.uint8)
    points: Points = np.round(at + outline).astype(np.int32)
    cv2.fillPoly(mask, [points], 1)
    paint = np.empty_like(canvas)
    paint[:] = colour(hue + random.uniform(-0.03, 0.03), saturation, random.uniform(0.3, 0.65))
    lay(canvas, paint, mask, height=2, roundness=0.3)
    return at
