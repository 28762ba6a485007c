"""Masks of a built dataset: bilevel PNG files, their digest, and reading any PNG as a mask."""

from __future__ import annotations

import stat
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError
from cocoad.base.files import inside, sha256_bytes
from cocoad.base.images import LARGE, open_image
from cocoad.coco.outlines import MAX_IMAGE_PIXELS, Mask
from cocoad.dataset.manifest import TestSample

PNG_PIXEL_BYTES = 9  # at most: four channels of 16 bits, and a byte for each row of perhaps one pixel
PNG_OVERHEAD = 1 << 16  # bytes of headers, with plenty to spare
_SIZE, _PIXELS = (
    slice(16, 24),
    slice(41, -16),
)  # of a written mask's bytes: width and height, the deflated rows


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
    rows = np.zeros((height, _row_bytes(width)), np.uint8)  # a row begins with its filter, 0 = none
    rows[:, 1:] = np.packbits(mask, axis=1)
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_RLE)
    return _png(width, height, deflate.compress(rows.tobytes()) + deflate.flush())


def decode_mask_png(data: bytes, most_pixels: int) -> Mask | None:
    """Return the mask that `encode_mask_png` rendered as ``data``, uint8 (H, W), 0 and 255; faster than Pillow does.

    None: it is another PNG, or none, or damaged, or has more pixels.
    """
    width, height = struct.unpack(">II", data[_SIZE]) if len(data[_SIZE]) == 8 else (0, 0)
    pixels = data[_PIXELS]
    if not 0 < width * height <= most_pixels or data != _png(width, height, pixels):
        return None
    inflate, length = zlib.decompressobj(), height * _row_bytes(width)
    try:
        rows = np.frombuffer(inflate.decompress(pixels, length + 1), np.uint8)
    except zlib.error:
        return None
    if not inflate.eof or inflate.unused_data or len(rows) != length:
        return None
    rows = rows.reshape(height, -1)
    if rows[:, 0].any():  # filtered
        return None
    gray: Mask = np.unpackbits(rows[:, 1:], axis=1, count=width) * np.uint8(255)
    return gray


def _row_bytes(width: int) -> int:
    return 1 + (width + 7) // 8


def _png(width: int, height: int, pixels: bytes) -> bytes:
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


class MaskFile(NamedTuple):
    """What a mask's file holds: Pillow's mode of its pixels, and these as 8-bit gray, uint8 (H, W)."""

    mode: str
    gray: Mask


def read_mask_file(path: Path, size: tuple[int, int] | None = None) -> MaskFile:
    """Read a mask, a PNG that is bilevel or of any depth.

    Args:
        size: its image's (width, height): a file that is longer than any PNG of that size is not read.

    Raises:
        InputError: it is missing, no readable PNG, too long, or has more than `MAX_IMAGE_PIXELS`.
    """
    pixels = MAX_IMAGE_PIXELS if size is None else min(MAX_IMAGE_PIXELS, size[0] * size[1])
    longest = PNG_OVERHEAD + PNG_PIXEL_BYTES * pixels
    if (own := read_written_mask(path, longest)) is not None:
        return MaskFile("1", own)
    with open_image(path, ("PNG",), longest) as image:
        if image.width * image.height > MAX_IMAGE_PIXELS:
            raise InputError(f"{path}: a mask of {image.width}×{image.height} pixels is too large")
        return MaskFile(image.mode, np.array(image.convert("L")))


def read_written_mask(path: Path, longest: int = LARGE) -> Mask | None:
    """Read a mask that `write_mask_png` wrote, uint8 (H, W), 0 and 255.

    None: it is no such file, or longer than so many bytes, or has more than `LARGE` pixels.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > longest:
            return None
        return decode_mask_png(path.read_bytes(), LARGE)
    except OSError:
        return None


def read_mask_gray(path: Path, size: tuple[int, int] | None = None) -> Mask:
    """Read a mask as 8-bit gray, uint8 (H, W); raise InputError as `read_mask_file` does."""
    return read_mask_file(path, size).gray


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
