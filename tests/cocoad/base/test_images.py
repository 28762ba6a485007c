"""Opening image files: what is taken, and what is refused before it can cost time or memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.base.images import FORMATS, MissingImageError, image_size, open_image


@pytest.mark.parametrize("kind", FORMATS)
def test_the_formats_that_the_bench_knows_are_opened_whatever_the_file_is_called(
    tmp_path: Path, kind: str
) -> None:
    Image.new("RGB", (7, 5)).save(tmp_path / "image.jpg", kind)
    assert image_size(tmp_path / "image.jpg") == (7, 5)


@pytest.mark.parametrize("kind", ["EPS", "GIF", "PPM"])
def test_other_formats_are_refused_by_a_text_that_is_always_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image.jpg"
    Image.new("RGB", (7, 5)).save(path, kind)
    with pytest.raises(InputError) as caught:
        image_size(path)
    assert str(caught.value) == f"{path}: not a readable image (no JPEG/PNG/BMP/TIFF/WEBP)"


def test_what_is_no_file_is_refused_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", tmp_path):
        with pytest.raises(InputError, match="not a regular file"):
            image_size(path)
    with pytest.raises(MissingImageError, match=r"none\.jpg is missing"):
        image_size(tmp_path / "none.jpg")
    for name in ("a" * 5000, "\0"):
        with pytest.raises(InputError, match="not a readable image"):
            image_size(tmp_path / name)


def test_a_file_that_is_too_long_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.new("RGB", (7, 5)).save(path)
    os.truncate(path, 2000)
    with open_image(path, max_bytes=2000) as image:
        assert image.size == (7, 5)
    os.truncate(path, 2001)
    with (
        pytest.raises(InputError, match="2,001 bytes, 2,000 are more than enough"),
        open_image(path, max_bytes=2000),
    ):
        pass


def test_damaged_pixels_are_found_in_the_block(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.effect_noise((50, 50), 9).save(path)
    os.truncate(path, 900)
    assert image_size(path) == (50, 50)
    with pytest.raises(InputError, match="not a readable image"), open_image(path) as image:
        image.load()
