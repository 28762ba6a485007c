"""All grids of a split as one PNG, and their images' numbers as one CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from benchmark.submissions.codec import Codec, FloatArray, GridArray

HEADER = ("id", "score", "minimum", "maximum")


class ImageTable(NamedTuple):
    """Per image, ascending by id: its score and its map's extremes, float32 (N,)."""

    ids: list[str]
    scores: FloatArray
    minima: FloatArray
    maxima: FloatArray


def png_of(grids: GridArray) -> bytes:
    """Return grids (N, n, n) as a grey PNG of 8 or 16 bits, ⌈√N⌉ in a row, row by row."""
    count, size = grids.shape[:2]
    rows, columns = _layout(count)
    cells = np.zeros((rows * columns, size, size), grids.dtype)
    cells[:count] = grids
    sheet = cells.reshape(rows, columns, size, size).swapaxes(1, 2).reshape(rows * size, columns * size)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def grids_of(png: bytes, count: int, codec: Codec) -> GridArray:
    """Return the ``count`` grids (N, n, n) of such a PNG.

    Its size is checked before its pixels are read.

    Raises:
        ValueError: it is no such PNG.
    """
    rows, columns = _layout(count)
    expected = (columns * codec.size, rows * codec.size)
    try:
        image = PngImageFile(io.BytesIO(png))  # Image.open would refuse the size that large grids need
        if image.size != expected or image.mode not in (("L",) if codec.bits == 8 else ("I;16", "I")):
            raise ValueError(
                f"{image.width}×{image.height} pixels of mode {image.mode}: expected {expected[0]}×{expected[1]} "
                f"grey ones of {8 if codec.bits == 8 else 16} bits for {count} maps"
            )
        sheet = np.asarray(image)
    except (OSError, SyntaxError, AttributeError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"not a readable PNG ({error})") from None
    grids: GridArray = (
        sheet.reshape(rows, codec.size, columns, codec.size)
        .swapaxes(1, 2)
        .reshape(rows * columns, codec.size, codec.size)
        .astype(np.uint8 if codec.bits == 8 else np.uint16)
    )
    if grids.max() > codec.highest or grids[count:].any():
        raise ValueError(f"it holds levels above {codec.highest}, or something behind its last map")
    return grids[:count]


def _layout(count: int) -> tuple[int, int]:
    columns = math.isqrt(count - 1) + 1
    return -(-count // columns), columns


def csv_of(table: ImageTable) -> bytes:
    """Return the table as CSV; every float32 in the shortest form that gives it back."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    numbers = ([str(value) for value in column] for column in (table.scores, table.minima, table.maxima))
    writer.writerows(zip(table.ids, *numbers, strict=True))
    return buffer.getvalue().encode()


def table_of(data: bytes, ids: Sequence[str]) -> ImageTable:
    """Read such a CSV, of exactly these images in this order.

    Raises:
        ValueError: it is no such table, is of other images, or its numbers make no sense.
    """
    table = table_as_written(data)
    if table.ids != list(ids):
        raise ValueError(_other_images(table.ids, ids))
    return table


def table_as_written(data: bytes) -> ImageTable:
    """Read such a CSV, of whatever images.

    Raises:
        ValueError: it is no such table, or its numbers make no sense.
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"not a CSV in UTF-8 ({error})") from None
    if not lines or tuple(lines[0]) != HEADER or any(len(line) != len(HEADER) for line in lines):
        raise ValueError(f"its columns must be {', '.join(HEADER)} on every line")
    if len(lines) == 1:
        raise ValueError("it has no images")
    try:
        numbers = np.array([line[1:] for line in lines[1:]], np.float64).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"not all are numbers ({error})") from None
    with np.errstate(over="ignore"):
        scores, minima, maxima = np.ascontiguousarray(numbers.T, np.float32)
        table = ImageTable([line[0] for line in lines[1:]], scores, minima, maxima)
        _check(table, numbers)
    return table


def _check(table: ImageTable, numbers: npt.NDArray[np.float64]) -> None:
    finite = np.isfinite(numbers.astype(np.float32)).min(axis=1)
    sound = finite & (table.minima <= table.maxima)
    if not sound.all():
        place = int(np.flatnonzero(~sound)[0])
        why = "a minimum above its maximum" if finite[place] else "a number that no float32 holds"
        raise ValueError(f"line {place + 2} ({table.ids[place]}) has {why}")


def _other_images(found: Sequence[str], ids: Sequence[str]) -> str:
    lacking, more = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
    if lacking or more:
        parts = [f"lacks {len(lacking)}, such as {lacking[0]}"] if lacking else []
        parts += [f"has {len(more)} of others, such as {more[0][:80]!r}"] if more else []
        return f"its ids are not the test set's: it {' and '.join(parts)}"
    return "its ids are not ascending, or not each once"
