"""Masks: whatever is not black is anomalous, in any mode; and what is odd about one is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets.look import look
from benchmark.datasets.masks import ALPHA, BLACK, COLOURED, GRAY, LARGE, LOSSY, load_mask, read_mask
from benchmark.datasets.samples import Sample
from cocoad.base.errors import InputError
from cocoad.dataset.masks import mask_digest

SIDE = 64
LEFT = np.zeros((SIDE, SIDE), bool)
LEFT[:, : SIDE // 2] = True


def saved(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    Image.fromarray(pixels, mode).save(path)
    return path


@pytest.mark.parametrize("value", [1, 85, 127, 128, 255])
def test_any_gray_above_0_is_anomalous(value: int, tmp_path: Path) -> None:
    mask, remarks = read_mask(saved(tmp_path / "m.png", LEFT * np.uint8(value)))
    np.testing.assert_array_equal(mask, LEFT)
    assert not remarks


def test_gray_classes_all_count(tmp_path: Path) -> None:
    pixels = np.where(LEFT, 85, 0).astype(np.uint8)
    pixels[:, -8:] = 255
    mask, remarks = read_mask(saved(tmp_path / "m.png", pixels))
    np.testing.assert_array_equal(mask, pixels > 0)
    assert remarks == {GRAY}


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 90), (0, 1, 0)])
def test_colours_all_count(colour: tuple[int, int, int], tmp_path: Path) -> None:
    mask, remarks = read_mask(
        saved(tmp_path / "m.png", (LEFT[..., None] * np.array(colour)).astype(np.uint8))
    )
    np.testing.assert_array_equal(mask, LEFT)
    assert remarks == {COLOURED}


def test_16_bits_count(tmp_path: Path) -> None:
    mask, _ = read_mask(saved(tmp_path / "m.png", LEFT.astype(np.uint16)))
    np.testing.assert_array_equal(mask, LEFT)


def test_a_mask_in_the_alpha_channel_is_read_from_there_and_said(tmp_path: Path) -> None:
    white = np.full((SIDE, SIDE, 4), 255, np.uint8)
    white[..., 3] = np.where(LEFT, 200, 0)
    mask, remarks = read_mask(saved(tmp_path / "m.png", white))
    np.testing.assert_array_equal(mask, LEFT)
    assert remarks == {ALPHA}


def test_what_is_transparent_in_a_coloured_mask_is_normal(tmp_path: Path) -> None:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[LEFT] = (255, 0, 0, 255)
    pixels[:, -8:] = (0, 255, 0, 0)
    mask, remarks = read_mask(saved(tmp_path / "m.png", pixels))
    np.testing.assert_array_equal(mask, LEFT)
    assert ALPHA in remarks


@pytest.mark.parametrize("palette", [[0] * 768, [0, 0, 0, 9, 9, 9, *[0] * 762]])
def test_label_ids_of_a_palette_are_its_indices(palette: list[int], tmp_path: Path) -> None:
    indexed = Image.fromarray(LEFT.astype(np.uint8), "P")
    indexed.putpalette(palette)
    indexed.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png")[0], LEFT)


def test_a_palette_whose_first_colour_is_white_is_read_by_its_colours(tmp_path: Path) -> None:
    indexed = Image.fromarray((~LEFT).astype(np.uint8), "P")
    indexed.putpalette([255, 255, 255, *[0] * 765])
    indexed.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png")[0], LEFT)


def test_the_noise_of_a_jpeg_is_not_anomalous_and_that_is_said(tmp_path: Path) -> None:
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[11:31, 13:37] = 255
    Image.fromarray(pixels).save(tmp_path / "m.jpg", quality=60)
    mask, remarks = read_mask(tmp_path / "m.jpg")
    np.testing.assert_array_equal(mask, pixels > 0)
    assert remarks == {LOSSY}


@pytest.mark.parametrize(("share", "remark"), [(0.0, BLACK), (0.95, LARGE)])
def test_a_mask_of_nothing_or_nearly_everything_is_said(share: float, remark: str, tmp_path: Path) -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[: int(100 * share)] = 255
    assert read_mask(saved(tmp_path / "m.png", pixels))[1] == {remark}


def test_a_folder_of_masks_is_their_union(tmp_path: Path) -> None:
    (tmp_path / "000").mkdir()
    saved(tmp_path / "000/000.png", LEFT * np.uint8(255))
    saved(tmp_path / "000/001.png", LEFT.T * np.uint8(33))
    np.testing.assert_array_equal(read_mask(tmp_path / "000")[0], LEFT | LEFT.T)


def test_it_is_binary_before_it_is_resized(tmp_path: Path) -> None:
    sample = Sample("a", tmp_path, "c", 1, saved(tmp_path / "m.png", LEFT * np.uint8(1)))
    np.testing.assert_array_equal(load_mask(sample, 16), LEFT[::4, ::4])


def test_a_mask_changed_since_the_build_is_refused_whenever_it_is_read(tmp_path: Path) -> None:
    file = saved(tmp_path / "m.png", LEFT * np.uint8(255))
    sample = Sample("a", tmp_path, "c", 1, file, mask_digest=mask_digest(LEFT))
    assert load_mask(sample, SIDE).any()
    saved(file, LEFT.T * np.uint8(255))
    with pytest.raises(InputError, match=r"m\.png was changed after the build"):
        load_mask(sample, SIDE)


def test_masks_that_vanish_when_they_are_resized_are_counted(tmp_path: Path) -> None:
    image = saved(tmp_path / "i.png", np.zeros((512, 512), np.uint8))
    samples = []
    for number, side in enumerate((2, 2, 200)):
        pixels = np.zeros((512, 512), np.uint8)
        pixels[7 : 7 + side, 7 : 7 + side] = 255
        samples.append(Sample(str(number), image, "c", 1, saved(tmp_path / f"{number}.png", pixels)))
    (note,) = look(tmp_path, samples, image_size=64, pixels=True, workers=0)
    assert note.startswith("2 of 3 masks vanish at 64 pixels: under ader such images count as normal")
    assert look(tmp_path, samples, image_size=512, pixels=True, workers=0) == []
