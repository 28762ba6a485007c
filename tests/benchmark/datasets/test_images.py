"""How image files become RGB: 8 bits as PIL has them, more bits by their upper 8, others refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets.images import load_pixels
from cocoad.base.errors import InputError

SIDE = 64
STEPS = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)


def tiff(path: Path, bits: int, data: bytes, order: str) -> None:
    """Write a grey TIFF of numbers of ``bits``, the header's of the byte order ``order``."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data))
    tags = {256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: SIDE, 279: len(data)}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1", "CMYK"])
def test_images_of_8_bits_are_what_pil_makes_of_them(mode: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    file = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.fromarray(noise).convert(mode).save(file)
    with Image.open(file) as image:
        expected = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(load_pixels(file, SIDE)[0], np.array(expected))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_to_8(suffix: str, tmp_path: Path) -> None:
    Image.fromarray((STEPS * 16).astype(np.uint16)).save(tmp_path / f"image.{suffix}")
    expected = np.repeat((STEPS // 16).astype(np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(load_pixels(tmp_path / f"image.{suffix}", SIDE)[0], expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_are_scaled_in_either_byte_order(order: str, tmp_path: Path) -> None:
    tiff(tmp_path / "image.tif", 16, (STEPS * 16).astype(f"{order}u2").tobytes(), order)
    np.testing.assert_array_equal(load_pixels(tmp_path / "image.tif", SIDE)[0][..., 0], STEPS // 16)


def test_12_bits_are_scaled_by_their_own_white(tmp_path: Path) -> None:
    bits = np.unpackbits(STEPS.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    tiff(tmp_path / "image.tif", 12, np.packbits(bits).tobytes(), "<")
    np.testing.assert_array_equal(load_pixels(tmp_path / "image.tif", SIDE)[0][..., 0], STEPS // 16)


@pytest.mark.parametrize(("pixels", "kind"), [(STEPS / 4095, "floats"), (STEPS * 16, "32-bit integers")])
def test_numbers_without_a_known_white_are_refused(pixels: np.ndarray, kind: str, tmp_path: Path) -> None:
    Image.fromarray(pixels.astype(np.float32 if kind == "floats" else np.int32)).save(tmp_path / "image.tif")
    with pytest.raises(InputError, match=f"image.tif: .*its pixels are {kind}: save it with 8 or 16 bits"):
        load_pixels(tmp_path / "image.tif", SIDE)[0]


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095)])
def test_bits_that_a_file_of_16_has_room_for_are_not_used(bits: int, white: int, tmp_path: Path) -> None:
    pixels = np.minimum(STEPS, white).astype(np.uint16)
    pixels[0, 0] = 65535  # a hot pixel is white
    Image.fromarray(pixels).save(tmp_path / "image.png")
    found = load_pixels(tmp_path / "image.png", SIDE, bits)[0][..., 0]
    np.testing.assert_array_equal(found[1:], pixels[1:] >> (bits - 8))
    assert found[0, 0] == 255


def test_an_image_too_large_by_default_is_read_when_its_user_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("L", (60, 50), 7).save(tmp_path / "image.png")
    with pytest.raises(InputError, match=r"3000 pixels, .* set COCOAD_MAX_PIXELS=3000$"):
        load_pixels(tmp_path / "image.png", SIDE)[0]
    monkeypatch.setenv("COCOAD_MAX_PIXELS", "3000")
    assert (load_pixels(tmp_path / "image.png", SIDE)[0] == 7).all()
    assert Image.MAX_IMAGE_PIXELS == 1000
