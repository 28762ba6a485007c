"""Masks: both rasterisers against the libraries that define them, hostile outlines, and PNG files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from cocoad.base.errors import InputError
from cocoad.coco.annotations import read_annotations
from cocoad.coco.outlines import (
    MAX_IMAGE_PIXELS,
    NO_RINGS,
    OUTSIDE,
    SHORT_RING,
    parse_segmentation,
    rasterize,
)
from cocoad.coco.partition import partition
from cocoad.dataset.masks import (
    decode_mask_png,
    encode_mask_png,
    mask_digest,
    read_mask_gray,
    read_mask_png,
    write_mask_png,
)

HEIGHT, WIDTH = 37, 53

coordinate = st.floats(-20, 80, allow_nan=False).map(lambda value: round(value, 2))
rings = st.lists(
    st.lists(coordinate, min_size=6, max_size=24).map(lambda r: r[: len(r) // 2 * 2]), min_size=1, max_size=3
)
bitmaps = st.builds(
    lambda seed, share: (np.random.default_rng(seed).random((HEIGHT, WIDTH)) < share).astype(np.uint8),
    st.integers(0, 2**32),
    st.sampled_from([0, 0.02, 0.5, 1]),
)


@pytest.mark.parametrize("split", [0, 1, 2, 3])
@pytest.mark.parametrize("rasterizer", ["ader", "coco"])
def test_masks_of_real_annotations_equal_the_golden_ones(shared: Path, split: int, rasterizer: Any) -> None:
    golden = json.loads((shared / "golden" / "coco_mini_expected.json").read_text())
    path = shared / "data" / "coco-mini" / "annotations" / "instances_val2017.json"
    found = read_annotations(path, segmentations=True)
    held_out = np.isin(found.annotation_category_ids, [category.id for category in partition(split).held_out])
    for image_id, expected in golden["splits"][str(split)]["masks"].items():
        row = int(np.flatnonzero(found.image_ids == int(image_id))[0])
        chosen = np.flatnonzero(held_out & (found.annotation_rows == row))
        outlines = [found.segmentations[i] for i in chosen]
        mask = rasterize(outlines, int(found.heights[row]), int(found.widths[row]), rasterizer)
        assert int(mask.sum()) == expected[f"{rasterizer}_pixels"]
        assert hashlib.sha256((mask * 255).tobytes()).hexdigest() == expected[f"{rasterizer}_sha256"]


@given(st.lists(rings, max_size=3))
def test_coco_masks_of_polygons_equal_pycocotools(segmentations: list[Any]) -> None:
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    for polygons in segmentations:
        expected |= coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(rasterize(segmentations, HEIGHT, WIDTH, "coco"), expected)


@given(st.lists(rings, max_size=3))
def test_ader_masks_fill_each_ring_with_truncated_coordinates(segmentations: list[Any]) -> None:
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    for polygons in segmentations:
        for ring in polygons:
            points = [[int(x), int(y)] for x, y in zip(ring[::2], ring[1::2], strict=True)]
            cv2.fillPoly(expected, [np.array(points, np.int32)], 1)
    np.testing.assert_array_equal(rasterize(segmentations, HEIGHT, WIDTH, "ader"), expected)


@given(bitmaps, st.sampled_from(["ader", "coco"]))
def test_run_lengths_of_both_forms_decode_to_the_mask_they_encode(bitmap: Any, rasterizer: Any) -> None:
    packed = coco_mask.encode(np.asfortranarray(bitmap))
    compressed = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    flat = bitmap.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    counts = np.diff([0, *edges, flat.size]).tolist()
    plain = {"size": [HEIGHT, WIDTH], "counts": counts}
    for runs in (compressed, plain):
        raw = msgspec.Raw(msgspec.json.encode(runs))
        np.testing.assert_array_equal(rasterize([raw], HEIGHT, WIDTH, rasterizer), bitmap)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_compressed_counts_mean_what_pycocotools_means(counts: list[int]) -> None:
    total = sum(counts) or 1
    counts = counts if sum(counts) else [1]
    packed = coco_mask.frPyObjects({"size": [total, 1], "counts": counts}, total, 1)
    runs = {"size": [total, 1], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(rasterize([runs], total, 1, "coco"), coco_mask.decode(packed))


def test_a_truncated_coordinate_moves_toward_zero_not_down() -> None:
    mask = rasterize([[[-0.9, -0.9, 2.9, -0.9, 2.9, 2.9, -0.9, 2.9]]], 5, 5, "ader")
    assert mask.tolist() == [[1, 1, 1, 0, 0]] * 3 + [[0] * 5] * 2


def test_overlapping_rings_are_united_not_cancelled() -> None:
    square = [1, 1, 5, 1, 5, 5, 1, 5]
    assert rasterize([[square, square]], 8, 8, "ader").sum() == 25


WRONG = {
    "a ring of odd length": ([[1, 2, 3, 4, 5, 6, 7]], "a ring has 7 numbers"),
    "an empty ring": ([[]], "a ring has 0 numbers"),
    "a coordinate far out": ([[0, 0, 5, 0, 5, 1e9]], "coordinate 1e+09, far outside the image of 53×37"),
    "not a number": ([[0, 0, 5, 0, 5, float("nan")]], "coordinate nan"),
    "infinity": ([[0, 0, 5, 0, 5, float("-inf")]], "coordinate -inf"),
    "an endless outline": ([[0, 0, 30000, 30000] * 200], "a ring of 400 points runs over"),
    "rings that are endless together": (
        [[0, 0, 30000, 30000] * 30] * 12,
        "the 12 rings of one image run over",
    ),
    "a word": ("outline", "neither polygons nor RLE"),
    "nothing": (None, "neither polygons nor RLE"),
    "words in a ring": ([["a", "b"]], "neither polygons nor RLE"),
    "another size": ({"size": [HEIGHT, WIDTH - 1], "counts": [1961]}, "RLE is of size 37×52"),
    "a short sum": ({"size": [HEIGHT, WIDTH], "counts": [1960]}, "RLE counts sum to 1960, not to h·w = 1961"),
    "a huge count": (
        {"size": [HEIGHT, WIDTH], "counts": [10**30]},
        "neither polygons nor RLE",
    ),
    "a negative count": ({"size": [HEIGHT, WIDTH], "counts": [-1, 1962]}, "neither polygons nor RLE"),
    "a negative compressed count": ({"size": [HEIGHT, WIDTH], "counts": "O"}, "negative count"),
    "characters of no count": ({"size": [HEIGHT, WIDTH], "counts": "\x00é"}, "invalid compressed count"),
    "an unfinished count": ({"size": [HEIGHT, WIDTH], "counts": "oo"}, "in the middle of a compressed count"),
    "an endless count": ({"size": [HEIGHT, WIDTH], "counts": "o" * 1000}, "invalid compressed count"),
    "no counts": ({"size": [HEIGHT, WIDTH]}, "neither polygons nor RLE"),
    "a size of three": ({"size": [37, 53, 1], "counts": [1961]}, "neither polygons nor RLE"),
}


@pytest.mark.parametrize(("segmentation", "message"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("rasterizer", ["ader", "coco"])
def test_outlines_that_cannot_be_drawn_are_refused(segmentation: Any, message: str, rasterizer: Any) -> None:
    with pytest.raises(InputError) as caught:
        rasterize([segmentation], HEIGHT, WIDTH, rasterizer)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_undecoded_outlines_that_are_nested_or_out_of_range_are_refused() -> None:
    for text in (b"[" * 50_000 + b"]" * 50_000, b"[[1e999, 1, 1, 1, 1, 1]]"):
        with pytest.raises(InputError):
            parse_segmentation(msgspec.Raw(text), HEIGHT, WIDTH)


def test_what_the_official_generator_takes_is_taken_and_counted() -> None:
    oddities: Counter[str] = Counter()
    line, outside, nothing = [[3, 3, 9, 3]], [[-5, -5, 200, -5, 200, 4, -5, 4]], []
    for segmentation in (line, outside, nothing):
        parse_segmentation(segmentation, HEIGHT, WIDTH, oddities)
    assert oddities == {SHORT_RING: 1, OUTSIDE: 1, NO_RINGS: 1}
    assert rasterize([line], HEIGHT, WIDTH, "ader").sum() == 7  # its pixels, ends included
    assert rasterize([outside], HEIGHT, WIDTH, "ader").sum() == 5 * WIDTH
    assert rasterize([nothing], HEIGHT, WIDTH, "coco").sum() == 0


@pytest.mark.parametrize(
    ("height", "width", "point", "outside"),
    [
        (10, 20, (19, 9), False),
        (10, 20, (20, 10), False),
        (10, 20, (19, 15), True),
        (20, 10, (9, 19), False),
        (20, 10, (15, 19), True),
        (10, 20, (-1, 5), True),
        (10, 20, (5, -1), True),
    ],
)
def test_an_outline_reaches_outside_by_its_own_side_of_an_image_that_is_not_square(
    height: int, width: int, point: tuple[int, int], outside: bool
) -> None:
    oddities: Counter[str] = Counter()
    parse_segmentation([[0, 0, *point, 1, 1]], height, width, oddities)
    assert bool(oddities[OUTSIDE]) == outside


def test_a_ring_of_two_points_is_no_box_to_the_coco_rasteriser() -> None:
    assert rasterize([[[3, 3, 20, 20]]], HEIGHT, WIDTH, "coco").sum() < 20


def test_a_ring_along_the_border_is_not_called_outside() -> None:
    oddities: Counter[str] = Counter()
    parse_segmentation([[0, 0, WIDTH, 0, WIDTH, HEIGHT, 0, HEIGHT]], HEIGHT, WIDTH, oddities)
    assert +oddities == {}


def test_a_mask_of_an_enormous_image_is_refused() -> None:
    with pytest.raises(InputError, match="cannot have a mask"):
        rasterize([], 1 << 20, 1 << 20, "ader")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=50)
def test_a_written_mask_is_read_by_opencv_pixel_for_pixel(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    data = encode_mask_png(mask)
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), mask * 255
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=50)
def test_what_is_written_is_decoded_as_pillow_does(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    data = encode_mask_png(mask)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(decode_mask_png(data, height * width), np.array(image.convert("L")))
    assert decode_mask_png(data, height * width - 1) is None


@given(st.data())
@settings(max_examples=200)
def test_a_mask_that_was_damaged_anywhere_is_decoded_by_nobody(data: st.DataObject) -> None:
    whole = encode_mask_png(np.eye(30, 21) > 0)
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[place] ^ data.draw(st.integers(1, 255))
    assert decode_mask_png(whole[:place] + bytes([flipped]) + whole[place + 1 :], 10**6) is None
    assert decode_mask_png(whole[:place], 10**6) is None
    assert decode_mask_png(whole + whole[:place], 10**6) is None or place == 0


@pytest.mark.parametrize("rows", [b"\0\xff" * 5, b"\0\xff" * 3, b"\0\xff\0\xff\1\xff\0\xff", b"\0" * 10**6])
def test_rows_that_are_filtered_too_few_or_too_many_are_left_to_others(rows: bytes) -> None:
    whole = encode_mask_png(np.ones((4, 8)) > 0)
    pixels = zlib.compress(rows)
    chunk = b"IDAT" + pixels
    other = (
        whole[:33]
        + struct.pack(">I", len(pixels))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + whole[-12:]
    )
    assert decode_mask_png(other, 32) is None


def test_a_mask_file_is_one_bit_gray_and_reads_as_0_and_255(tmp_path: Path) -> None:
    mask = np.eye(9, 13, dtype=np.uint8)
    write_mask_png(tmp_path / "m.png", mask)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "1"
        assert image.size == (13, 9)
        np.testing.assert_array_equal(np.array(image.convert("L")), mask * 255)
    np.testing.assert_array_equal(read_mask_png(tmp_path / "m.png"), mask == 1)


def test_an_8_bit_mask_is_read_too(tmp_path: Path) -> None:
    gray = np.array([[0, 255], [128, 0]], np.uint8)
    Image.fromarray(gray).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask_gray(tmp_path / "m.png"), gray)
    assert read_mask_png(tmp_path / "m.png").tolist() == [[False, True], [True, False]]


def test_a_decompression_bomb_is_refused_before_its_pixels_are_made(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    side = 2 * int(MAX_IMAGE_PIXELS**0.5)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(InputError, match=r"too large|not a readable image|COCOAD_MAX_PIXELS"):
        read_mask_png(tmp_path / "bomb.png")


@pytest.mark.parametrize("data", [b"", b"no image", encode_mask_png(np.ones((50, 50)) > 0)[:60]])
def test_a_file_that_is_no_mask_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.png").write_bytes(data)
    with pytest.raises(InputError, match="not a readable image"):
        read_mask_png(tmp_path / "m.png")


def test_a_mask_of_another_format_is_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "m.png", "BMP")
    with pytest.raises(InputError, match=r"m\.png: not a readable image \(no PNG\)"):
        read_mask_png(tmp_path / "m.png")


def test_a_mask_file_that_is_longer_than_its_image_can_need_is_not_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, (300, 200, 4), np.uint16)
    cv2.imwrite(str(tmp_path / "m.png"), noise, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert read_mask_png(tmp_path / "m.png", (200, 300)).shape == (300, 200)
    os.truncate(tmp_path / "m.png", 10**9)
    for size in (None, (10**7, 10**7), (200, 300)):
        with pytest.raises(InputError, match="1,000,000,000 bytes"):
            read_mask_png(tmp_path / "m.png", size)


@given(bitmaps)
def test_the_digest_is_that_of_the_packed_bits_whatever_the_dtype(bitmap: Any) -> None:
    expected = hashlib.sha256(np.packbits(bitmap.astype(bool)).tobytes()).hexdigest()
    assert mask_digest(bitmap) == mask_digest(bitmap > 0) == mask_digest(bitmap * 255) == expected
