"""A contact sheet: test images with their masks outlined and their held-out categories named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cocoad.base.errors import InputError
from cocoad.base.files import open_atomic
from cocoad.base.images import open_image, without_size_warnings
from cocoad.dataset.images import find_images
from cocoad.dataset.manifest import TestSample, read_split
from cocoad.dataset.masks import read_sample_mask

TILE, CAPTION, GAP = 256, 34, 8  # pixels
INK, PAPER, OUTLINE, HALO = (25, 25, 25), (255, 255, 255), (255, 200, 0), (0, 0, 0)


@without_size_warnings()
def write_contact_sheet(
    directory: Path,
    split: int,
    out: Path,
    *,
    coco_root: Path | None = None,
    count: int = 24,
    columns: int = 6,
    category: str | None = None,
    seed: int = 0,
) -> int:
    """Write a PNG of ``count`` anomalous images of a split, spread over its test set; return how many there are.

    Args:
        directory: a built dataset.
        split: 0 … 3.
        out: the PNG.
        coco_root: where COCO's images are; None: as the build left it.
        count: images at most.
        columns: of the sheet.
        category: only images that show this held-out category.
        seed: of the choice of images.

    Raises:
        InputError: no such dataset, split or category, or an image or mask that is not as recorded.
    """
    manifest = read_split(directory, split)
    images = find_images(directory, (sample.image for sample in manifest.test), coco_root)
    names = {held_out.id: held_out.name for held_out in manifest.held_out}
    chosen = [sample for sample in manifest.test if sample.label]
    if category is not None:
        wanted = {ident for ident, name in names.items() if name == category}
        if not wanted:
            raise InputError(
                f"split {split} does not hold out {category!r}: it holds out {', '.join(names.values())}"
            )
        chosen = [sample for sample in chosen if wanted & set(sample.categories)]
    if not chosen:
        raise InputError(f"{directory}: split {split} has no such anomalous image to show")
    if len(chosen) > count:
        picked = np.random.default_rng(seed).choice(len(chosen), count, replace=False)
        chosen = [chosen[index] for index in sorted(picked.tolist())]
    tiles = [_tile(directory, images.path(sample.image), sample, names) for sample in chosen]
    with open_atomic(out) as temporary:
        _sheet(tiles, columns).save(temporary, "PNG")
    return len(tiles)


def _tile(directory: Path, path: Path, sample: TestSample, names: dict[int, str]) -> Image.Image:
    """Return one image with its mask's outline, fitted into a square, over its caption."""
    image = _read_image(path, (sample.width, sample.height))
    mask = Image.fromarray(read_sample_mask(directory, sample).astype(np.uint8) * 255)
    scale = TILE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).copy()
    anomalous = np.asarray(mask.resize(size, Image.Resampling.BILINEAR)) > 127
    pixels[_edge(anomalous, 2)] = HALO  # seen on light ground and on dark
    pixels[_edge(anomalous, 1)] = OUTLINE
    tile = Image.new("RGB", (TILE, TILE + CAPTION), PAPER)
    tile.paste(Image.fromarray(pixels), ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(12)
    share = 100 * sample.anomalous_pixels / (sample.width * sample.height)
    kinds = ", ".join(names[ident] for ident in sample.categories)
    while draw.textlength(kinds, font) > TILE and len(kinds) > 2:
        kinds = kinds[:-2].rstrip("… ,") + "…"
    draw.text((0, TILE + 1), kinds, INK, font)
    draw.text((0, TILE + 16), f"{sample.id:012d}   {share:.1f} % anomalous", (110, 110, 110), font)
    return tile


def _read_image(path: Path, size: tuple[int, int]) -> Image.Image:
    """Read an image as RGB when it is of the recorded (width, height)."""
    try:
        with open_image(path) as image:
            if image.size != size:
                raise InputError(f"{path}: {image.width}×{image.height}, recorded {size[0]}×{size[1]}")
            return image.convert("RGB")
    except InputError as error:
        raise InputError(f"{error}: give --coco-root DIR") from None


def _edge(mask: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Return the pixels within ``width`` outside of a mask's border."""
    import cv2

    grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=width)
    edge: npt.NDArray[np.bool_] = (grown > 0) & ~mask
    return edge


def _sheet(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = TILE + GAP, TILE + CAPTION + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (GAP + index % columns * width, GAP + index // columns * height))
    return sheet
