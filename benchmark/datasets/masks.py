"""Masks as everything here reads them: what is not black is anomalous, at the mask's own size, then resized.

So the published dialect has it, whose masks become 0 and 255 before they are resized; label ids, gray classes and
colours all count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.datasets.images import SUFFIXES
from benchmark.datasets.samples import Sample
from cocoad.base.errors import InputError
from cocoad.base.images import open_image
from cocoad.dataset.masks import mask_digest, read_written_mask

HALF = 127  # values above it are anomalous where a file or a resize has blurred the edges
LARGE_SHARE = 0.9  # of an image: a mask that marks more is worth a look

BLACK = "are all black"
LARGE = "mark more than nine tenths of their image: are they inverted?"
ALPHA = "have an alpha channel: what is transparent in them is normal"
LOSSY = "are JPEGs, whose edges are blurred: values above 127 are anomalous"
GRAY = "have several values above 0, all of which are anomalous"
COLOURED = "are coloured: whatever is not black in them is anomalous"

Mask = npt.NDArray[np.bool_]


def load_mask(sample: Sample, size: int) -> Mask:
    """Return a sample's mask as bool (size, size): :func:`read_mask` resized bilinearly, then > 0.5.

    Without a mask nothing is anomalous.

    Raises:
        InputError: it cannot be read, or is not the one that the dataset was built with.
    """
    if sample.mask is None:
        return np.zeros((size, size), np.bool_)
    return resized_mask(checked_mask(sample)[0], size)


def checked_mask(sample: Sample) -> tuple[Mask, frozenset[str]]:
    """Do as :func:`read_mask` with a sample's mask.

    Raises:
        InputError: it cannot be read, or is not the one that the dataset was built with.
    """
    assert sample.mask is not None
    mask, remarks = read_mask(sample.mask)
    if sample.mask_digest and mask_digest(mask) != sample.mask_digest:
        raise InputError(
            f"{sample.mask} was changed after the build: `cocoad verify` finds all such, build anew"
        )
    return mask, remarks


def resized_mask(mask: Mask, size: int) -> Mask:
    """Return a mask (H, W) as bool (size, size), resized bilinearly with antialiasing, then > 0.5."""
    image = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    anomalous: Mask = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)) > HALF
    return anomalous


def read_mask(path: Path) -> tuple[Mask, frozenset[str]]:
    """Return a mask's file, or the union of those in a folder, as bool (H, W), and what is odd about it.

    Raises:
        InputError: it cannot be read, or files of one folder differ in size.
    """
    masks, remarks = zip(*(_read_file(file) for file in mask_files(path)), strict=True)
    if len({mask.shape for mask in masks}) > 1:
        raise InputError(f"{path}: masks of several sizes for one image")
    mask: Mask = np.logical_or.reduce(masks)
    share = mask.mean()
    extent = {BLACK} if not share else {LARGE} if share > LARGE_SHARE else set()
    return mask, frozenset().union(extent, *remarks)


def mask_files(path: Path) -> list[Path]:
    """Return the files of a mask, which may be a folder of several.

    Raises:
        InputError: an empty folder.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path}: no mask in this folder")
    return files


def _read_file(path: Path) -> tuple[Mask, set[str]]:
    if (written := read_written_mask(path)) is not None:  # the common case, several times as fast
        return written > 0, set()
    with open_image(path) as image:
        remarks = set()
        values, alpha = _values(image)
        lossy = image.format == "JPEG"
        if lossy:
            remarks.add(LOSSY)
            mask = values.max(axis=2) > HALF
        else:
            mask = (values > 0).any(axis=2)
            if values.shape[2] > 1 and (values != values[..., :1]).any():
                remarks.add(COLOURED)
            elif (marked := values[mask]).size and (marked != marked.flat[0]).any():
                remarks.add(GRAY)
        if alpha is not None and not (alpha == alpha.max()).all():
            remarks.add(ALPHA)
            visible = alpha > 0
            colours = values[visible]
            mask = visible if (colours == colours[0]).all() else mask & visible
    return mask, remarks


def _values(image: Image.Image) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8] | None]:
    """Return the numbers (H, W, channels) whose zero is normal, and the alpha channel (H, W) if there is one."""
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., :3], rgba[..., 3]
    if image.mode == "P":  # label ids, whatever their colours
        colours = np.asarray(image.convert("RGB"))
        return (colours if _zero_is_coloured(image) else np.asarray(image)[..., None]), None
    if len(image.getbands()) == 1:
        return np.asarray(image)[..., None], None
    return np.asarray(image.convert("RGB")), None


def _zero_is_coloured(image: Image.Image) -> bool:
    """Say whether the index 0 of a palette has a colour, so that indices are no label ids."""
    return any((image.getpalette() or [0])[:3])
