"""Image files, opened with care: one may be missing, a pipe, of another format than its name says, or enormous."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cocoad.base.errors import InputError

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # those whose suffixes the bench takes for images


MAX_PIXELS_VARIABLE = (
    "COCOAD_MAX_PIXELS"  # of an image, if more than Pillow's limit of 179 million are wanted
)


# What Pillow's decoders raise, beside their own, where a file's metadata are of odd types or cut off.
_OF_DAMAGE = (TypeError, LookupError, EOFError, ArithmeticError, NotImplementedError, struct.error)
LARGE, PER_BYTE = (
    16_000_000,
    5_000,
)  # pixels, and so many for a byte, are more than any picture but a bomb has


class MissingImageError(InputError):
    """There is no such file."""


@contextlib.contextmanager
def open_image(
    path: Path, formats: tuple[str, ...] = FORMATS, max_bytes: int | None = None
) -> Iterator[Image.Image]:
    """Open an image; only its header is read until the block asks for pixels.

    Args:
        formats: Pillow's names of those that are taken.
        max_bytes: a longer file is not opened.

    Raises:
        InputError: it cannot be opened, or the block finds its pixels damaged.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # of a pipe, reading might never end
            raise InputError(f"{path}: not a regular file")
        if max_bytes is not None and status.st_size > max_bytes:
            raise InputError(f"{path}: {status.st_size:,} bytes, {max_bytes:,} are more than enough for it")
        with _opened(path, formats) as image:
            claimed = image.width * image.height
            if claimed > max(LARGE, PER_BYTE * status.st_size) and not os.environ.get(MAX_PIXELS_VARIABLE):
                raise Image.DecompressionBombError(f"{claimed}")
            yield image
    except FileNotFoundError:
        raise MissingImageError(f"{path} is missing") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a readable image (no {'/'.join(formats)})") from None
    except Image.DecompressionBombError as error:
        found = re.search(r"[0-9]+", str(error))
        pixels = found.group() if found else "N"
        raise InputError(
            f"{path}: {pixels} pixels, so many that it may be made to fill the memory: if it is what it should be, set "
            f"{MAX_PIXELS_VARIABLE}={pixels}"
        ) from None
    except (OSError, ValueError, SyntaxError, *_OF_DAMAGE) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a readable image ({reason})") from None


def _opened(path: Path, formats: tuple[str, ...]) -> Image.Image:
    """Open an image of at most as many pixels as Pillow's limit, or the user's own, allows."""
    wanted = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if not wanted:
        return Image.open(path, formats=formats)
    if not wanted.isdecimal():
        raise InputError(f"{MAX_PIXELS_VARIABLE}={wanted}: give a number of pixels")
    usual = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max(int(wanted), usual or 0)
    try:
        return Image.open(path, formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = usual


def image_size(path: Path) -> tuple[int, int]:
    """Return an image's (width, height) by its header; raise InputError as `open_image` does."""
    with open_image(path) as image:
        return image.size


@contextlib.contextmanager
def without_size_warnings() -> Iterator[None]:
    """Keep Pillow from warning of large images, whose size is checked before their pixels are made.

    For the main thread: Python's filters belong to the whole process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
