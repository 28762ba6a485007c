"""What is predicted on: image files, folders, globs, and videos frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from benchmark.datasets.images import SUFFIXES
from benchmark.datasets.loading import loaded, loader_workers
from benchmark.inference.model import Model, Seen
from cocoad.base.errors import InputError

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


class Item(NamedTuple):
    """An image file, or a frame of a video with its number and its time from the start."""

    file: Path
    frame: int | None = None
    time_s: float | None = None


class Read(NamedTuple):
    """An item as the method sees it, and the size (width, height) that it has."""

    item: Item
    seen: Seen
    size: tuple[int, int]


def find_images(sources: Sequence[str], out: Path) -> list[Path]:
    """Return the files of ``sources``: images, videos, folders and globs of images; each once, in order.

    What lies below ``out`` is an earlier call's and left out, but of a source that lies there as a whole. A video is
    taken where it is named.

    Raises:
        InputError: a source gives no image.
    """
    found: dict[Path, None] = {}
    for source in sources:
        path = Path(source)
        if path.is_file():
            files = [path]
        elif path.is_dir():
            files = sorted(file for file in path.rglob("*") if _is_image(file))
        else:
            files = sorted(file for file in _glob(path) if _is_image(file) or is_video(file))
        if not path.resolve().is_relative_to(out.resolve()):
            files = [file for file in files if not file.resolve().is_relative_to(out.resolve())]
        if not files:
            raise InputError(f"no images at {source!r}: give image files, a folder, a quoted glob or a video")
        found.update(dict.fromkeys(files))
    return list(found)


def is_video(file: Path) -> bool:
    """Say whether a file is taken for a video, by its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def batches(
    model: Model,
    files: Sequence[Path],
    unreadable: list[str],
    batch_size: int,
    workers: int | None = None,
    every: int = 1,
) -> Iterator[list[Read]]:
    """Yield batches of what ``files`` show, images first; one that cannot be read adds a line to ``unreadable``.

    Args:
        model: that says how images are read and at which size it sees them.
        files: images and videos.
        unreadable: grows.
        batch_size: items at most.
        workers: processes that read images; None: by the cores and the number of images.
        every: takes the first frame of so many of a video.
    """
    images = [file for file in files if not is_video(file)]

    def fetch(indices: Sequence[int]) -> list[Read | str]:
        return [_read(model, images[index]) for index in indices]

    order = [
        range(start, min(start + batch_size, len(images))) for start in range(0, len(images), batch_size)
    ]
    helpers = min(loader_workers(workers), len(order) // 2)
    for found in loaded(fetch, order, helpers):
        unreadable += [one for one in found if isinstance(one, str)]
        if batch := [one for one in found if not isinstance(one, str)]:
            yield batch
    for file in files:
        if is_video(file):
            batch = []
            for item, image in frames(file, unreadable, every):
                batch.append(Read(item, model.seen(image), image.size))
                if len(batch) == batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch


def frames(file: Path, unreadable: list[str], every: int = 1) -> Iterator[tuple[Item, Image.Image]]:
    """Yield the first of each ``every`` frames of a video, RGB; one without frames adds a line to ``unreadable``."""
    video = cv2.VideoCapture(str(file))
    number = 0
    try:
        while video.isOpened():
            taken, pixels = video.read()
            if not taken:
                break
            time_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000  # of the frame that was read
            if number % every == 0:
                rgb = np.ascontiguousarray(pixels[..., ::-1])
                yield Item(file, number, round(time_s, 3)), Image.fromarray(rgb)
            number += 1
    finally:
        video.release()
    if not number:
        unreadable.append(f"{file}: not a readable video")


def _read(model: Model, file: Path) -> Read | str:
    try:
        image = model.read(file)
    except InputError as error:
        return str(error)
    return Read(Item(file), model.seen(image), image.size)


def _glob(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor)
    try:
        yield from anchor.glob(str(pattern.relative_to(anchor)))
    except ValueError:  # no pattern at all, such as a**
        return


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
