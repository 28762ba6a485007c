"""Outlines: COCO's segmentations, checked, and drawn as masks by either rasteriser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError

Mask: TypeAlias = NDArray[np.uint8]
Rasterizer = Literal["ader", "coco"]

MAX_IMAGE_PIXELS = 1 << 26  # 8192 × 8192; COCO's largest image has 640 × 640
MAX_COORDINATE = 32_767  # pixels from the origin; the rasterisers work in fixed point
MAX_RING_LENGTH = 2_000_000  # pixels along a ring's outline, to which the work and memory are in proportion
MAX_IMAGE_LENGTH = 20_000_000  # the same of all rings drawn on one image: less than a second of work

SHORT_RING = "rings of fewer than 3 points, drawn as the lines or points that they are"
OUTSIDE = "segmentations that reach outside their image, cut at its border"
NO_RINGS = "segmentations without any ring, which cover nothing"


class _Runs(msgspec.Struct):
    size: tuple[int, int]
    counts: str | list[Annotated[int, msgspec.Meta(ge=0, le=2**40)]]


_decoder = msgspec.json.Decoder(list[list[float]] | _Runs)


@dataclass(frozen=True, eq=False)
class Polygons:
    """The rings of one annotation, each float64 (n, 2) of x, y in pixels, n ≥ 1."""

    rings: list[NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class RunLengths:
    """A run-length encoded region: alternating counts of 0 and 1 in column-major order, int64, sum h·w."""

    counts: NDArray[np.int64]


Segmentation: TypeAlias = Polygons | RunLengths
_PARSED = (Polygons, RunLengths)


def parse_segmentation(
    value: msgspec.Raw | Any, height: int, width: int, oddities: Counter[str] | None = None
) -> Segmentation:
    """Check and decode COCO's ``segmentation`` of an image of ``height`` × ``width``.

    Args:
        value: undecoded JSON, or what a JSON parser made of it.
        oddities: counts what is unusual but taken as the official generator takes it.

    Raises:
        InputError: it cannot be drawn; the message does not name the annotation, which the caller knows.
    """
    try:
        if isinstance(value, msgspec.Raw):
            decoded = _decoder.decode(value)
        else:
            decoded = msgspec.convert(value, type=list[list[float]] | _Runs)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"segmentation is neither polygons nor RLE: {error}") from None
    if isinstance(decoded, _Runs):
        return RunLengths(_checked_counts(decoded, height, width))
    odd: Counter[str] = Counter() if oddities is None else oddities
    return Polygons(_checked_rings(decoded, height, width, odd))


def is_normalised(outline: Segmentation, height: int, width: int) -> bool:
    """Say whether an outline is in 0 … 1 instead of pixels, as some converters write it."""
    if not isinstance(outline, Polygons) or not outline.rings or min(height, width) <= 2:
        return False
    return all(ring.max() <= 1.0 and len(ring) > 2 for ring in outline.rings)


def _checked_rings(
    rings: list[list[float]], height: int, width: int, oddities: Counter[str]
) -> list[NDArray[np.float64]]:
    if not rings:
        oddities[NO_RINGS] += 1
    points = []
    outside = False
    for ring in rings:
        if not ring or len(ring) % 2:
            raise InputError(f"a ring has {len(ring)} numbers: it must be x, y pairs")
        if len(ring) < 6:
            oddities[SHORT_RING] += 1
        flat = np.array(ring)
        # min and max see every bad value at once: a NaN makes either NaN, whose comparison is False
        low, high = flat.min(), flat.max()
        if not (low >= -MAX_COORDINATE and high <= MAX_COORDINATE):
            bad = next(v for v in ring if not abs(v) <= MAX_COORDINATE)
            raise InputError(f"a ring has the coordinate {bad:g}, far outside the image of {width}×{height}")
        pairs = flat.reshape(-1, 2)
        if low < 0 or high > min(width, height):
            outside |= bool(low < 0 or pairs[:, 0].max() > width or pairs[:, 1].max() > height)
        if (high - low) * len(ring) > MAX_RING_LENGTH:
            _check_length(pairs)
        points.append(pairs)
    oddities[OUTSIDE] += outside
    return points


def _length(ring: NDArray[np.float64]) -> float:
    return float(np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1).sum())


def _check_length(ring: NDArray[np.float64]) -> None:
    length = _length(ring)
    if length > MAX_RING_LENGTH:
        raise InputError(f"a ring of {len(ring)} points runs over {length:.0f} pixels: that is no outline")


def _checked_counts(runs: _Runs, height: int, width: int) -> NDArray[np.int64]:
    if runs.size != (height, width):
        raise InputError(f"RLE is of size {runs.size[0]}×{runs.size[1]} (h×w), its image of {height}×{width}")
    counts = _unpack_counts(runs.counts) if isinstance(runs.counts, str) else runs.counts
    if any(count < 0 for count in counts):
        raise InputError("RLE has a negative count")
    if sum(counts) != height * width:
        raise InputError(f"RLE counts sum to {sum(counts)}, not to h·w = {height * width}")
    return np.array(counts, np.int64)


def _unpack_counts(text: str) -> list[int]:
    """Decode COCO's compressed counts.

    Five bits a character (offset 48), low bits first, bit 5 = more follow, two's complement; from the fourth
    on, a count is the difference to the one two before it.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise InputError("RLE has an invalid compressed count")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise InputError("RLE ends in the middle of a compressed count")
    return counts


def rasterize(segmentations: Iterable[Any], height: int, width: int, rasterizer: Rasterizer) -> Mask:
    """Draw the union of segmentations, each as COCO's JSON has it or already parsed.

    ``ader`` fills each ring by itself with its coordinates truncated toward zero, border pixels included, as
    the published benchmark's masks were made; ``coco`` is pycocotools' own, more accurate rasterisation.

    Returns:
        uint8 (height, width), 1 inside and 0 outside.

    Raises:
        InputError: a segmentation cannot be drawn, the rings together run over more than `MAX_IMAGE_LENGTH` pixels,
            or the image is larger than `MAX_IMAGE_PIXELS`.
    """
    if not 0 < height * width <= MAX_IMAGE_PIXELS:
        raise InputError(f"an image of {width}×{height} pixels cannot have a mask")
    parsed = [s if isinstance(s, _PARSED) else parse_segmentation(s, height, width) for s in segmentations]
    rings = [ring for s in parsed if isinstance(s, Polygons) for ring in s.rings]
    if sum(map(np.size, rings)) * MAX_COORDINATE > MAX_IMAGE_LENGTH:  # of a few hundred points on
        length = sum(map(_length, rings))
        if length > MAX_IMAGE_LENGTH:
            raise InputError(
                f"the {len(rings)} rings of one image run over {length:.0f} pixels: those are no outlines"
            )
    mask = _fill(rings, height, width) if rasterizer == "ader" else _fill_coco(rings, height, width)
    for segmentation in parsed:
        if isinstance(segmentation, RunLengths):
            mask |= _expand(segmentation, height, width)
    return mask


def _fill(rings: list[NDArray[np.float64]], height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    for ring in rings:
        cv2.fillPoly(mask, [ring.astype(np.int32)], 1)  # the cast truncates
    return mask


def _fill_coco(rings: list[NDArray[np.float64]], height: int, width: int) -> Mask:
    if not rings:
        return np.zeros((height, width), np.uint8)
    from pycocotools import mask as coco_mask

    # A ring of two points would be taken for a box; with its last point repeated it is the same outline.
    flat = [np.concatenate([ring, *[ring[-1:]] * (3 - len(ring))]).ravel().tolist() for ring in rings]
    decoded: Mask = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width)))
    return np.ascontiguousarray(decoded)


def _expand(runs: RunLengths, height: int, width: int) -> Mask:
    values = np.zeros(len(runs.counts), np.uint8)
    values[1::2] = 1
    return np.repeat(values, runs.counts).reshape(width, height).T
