"""Image files, opened with care: one may be missing, a pipe, of another format than its name says, or enormous."""

from __future__ import annotations

import contextlib
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cocoad.base.errors import InputError

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # those whose suffixes the bench takes for images


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
        with Image.open(path, formats=formats) as image:
            yield image
    except FileNotFoundError:
        raise MissingImageError(f"{path} is missing") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a readable image (no {'/'.join(formats)})") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a readable image ({reason})") from None


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
