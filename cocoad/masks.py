"""Segmentations → masks by either rasteriser, and masks as bilevel PNG files."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from cocoad.errors import InputError
from cocoad.files import inside, sha256_bytes
from cocoad.manifest import Rasterizer, TestSample

Mask: TypeAlias = NDArray[np.uint8]

MAX_IMAGE_PIXELS = 1 << 26  # 8192 × 8192; COCO's largest image has 640 × 640
MAX_COORDINATE = 32_767  # pixels from the origin; the rasterisers work in fixed point
MAX_RING_LENGTH = 2_000_000  # pixels along a ring's outline, to which the work and memory are in proportion
PNG_PIXEL_BYTES = 9  # at most: four channels of 16 bits, and a byte for each row of perhaps one pixel
PNG_OVERHEAD = 1 << 16  # bytes of headers, with plenty to spare

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
    except msgspec.MsgspecError as error:
        raise InputError(f"segmentation is neither polygons nor RLE: {error}") from None
    if isinstance(decoded, _Runs):
        return RunLengths(_checked_counts(decoded, height, width))
    odd: Counter[str] = Counter() if oddities is None else oddities
    return Polygons(_checked_rings(decoded, height, width, odd))


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


def _check_length(ring: NDArray[np.float64]) -> None:
    length = np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1).sum()
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
        InputError: a segmentation cannot be drawn, or the image is larger than `MAX_IMAGE_PIXELS`.
    """
    if not 0 < height * width <= MAX_IMAGE_PIXELS:
        raise InputError(f"an image of {width}×{height} pixels cannot have a mask")
    parsed = [s if isinstance(s, _PARSED) else parse_segmentation(s, height, width) for s in segmentations]
    rings = [ring for s in parsed if isinstance(s, Polygons) for ring in s.rings]
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


def mask_digest(mask: NDArray[Any]) -> str:
    """Return the SHA-256 of ``numpy.packbits(mask)``: what a mask is, whatever encoder wrote its file.

    Args:
        mask: (H, W), bool or 0 and anything else.
    """
    return sha256_bytes(np.packbits(mask).tobytes())


def encode_mask_png(mask: NDArray[Any]) -> bytes:
    """Render a mask (H, W), bool or 0/1, as a 1-bit gray PNG; it reads as 0 and 255 in 8-bit gray.

    Written by hand because it is several times as fast as OpenCV's or Pillow's encoder, and smaller: rows are
    unfiltered and deflated by run lengths alone, which is what a mask consists of.
    """
    height, width = mask.shape
    rows = np.zeros((height, 1 + (width + 7) // 8), np.uint8)  # a row begins with its filter, 0 = none
    rows[:, 1:] = np.packbits(mask, axis=1)
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_RLE)
    pixels = deflate.compress(rows.tobytes()) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit, gray, not interlaced
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def write_mask_png(path: Path, mask: NDArray[Any]) -> None:
    """Write a mask (H, W), bool or 0/1, as a bilevel PNG; not atomic: its directory is what appears whole."""
    path.write_bytes(encode_mask_png(mask))


def write_mask_png_gray(path: Path, mask: NDArray[Any]) -> None:
    """Write a mask (H, W), bool or 0/1, as an 8-bit gray PNG of 0 and 255, as other programs' layouts have it."""
    path.write_bytes(cv2.imencode(".png", (mask > 0).astype(np.uint8) * 255)[1].tobytes())


def read_mask_gray(path: Path, size: tuple[int, int] | None = None) -> Mask:
    """Read a mask, a PNG that is bilevel or of any depth, as 8-bit gray, uint8 (H, W).

    Args:
        size: its image's (width, height): a file that is longer than any PNG of that size is not read.

    Raises:
        InputError: it is missing, no readable PNG, too long, or has more than `MAX_IMAGE_PIXELS`.
    """
    from cocoad.images import open_image

    pixels = MAX_IMAGE_PIXELS if size is None else min(MAX_IMAGE_PIXELS, size[0] * size[1])
    with open_image(path, ("PNG",), PNG_OVERHEAD + PNG_PIXEL_BYTES * pixels) as image:
        if image.width * image.height > MAX_IMAGE_PIXELS:
            raise InputError(f"{path}: a mask of {image.width}×{image.height} pixels is too large")
        return np.array(image.convert("L"))


def read_mask_png(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """Read a mask as bool (H, W), True where it is not black; raise InputError as `read_mask_gray` does."""
    return read_mask_gray(path, size) > 0


def read_sample_mask(dataset: Path, sample: TestSample) -> NDArray[np.bool_]:
    """Read an anomalous sample's mask, bool (H, W); raise InputError when it is not the one that was built."""
    assert sample.mask is not None
    path = inside(dataset, sample.mask)
    mask = read_mask_png(path, (sample.width, sample.height))
    if mask.shape != (sample.height, sample.width) or mask_digest(mask) != sample.mask_sha256:
        raise InputError(f"{path} was changed after the build: run `cocoad verify {dataset}`")
    return mask
