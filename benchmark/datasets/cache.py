"""The pixel cache: each image decoded and resized once, for all splits, methods and seeds.

One cache holds the images of one folder, or tiles of them, at one size, in the order in which they were first asked
for: ``pixels.u8`` is a plain array (N, size, size, 3) of uint8, ``index.tsv`` has a line per row: the CRC-32 of its
pixels, the image file's hash (of COCO's images its size and modification time), and its path relative to the folder.
Pixels are on disk before their lines are; a line whose pixels are not there all the same, or differ from their
checksum, counts for nothing, and an image whose file changed gets a new row.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.datasets.batches import DecodedRows, Pixels
from benchmark.datasets.images import PIPELINE_VERSION
from benchmark.datasets.loading import loaded
from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import Sample
from cocoad.base.errors import InputError, ResourceError
from cocoad.base.files import naming
from cocoad.base.locks import FOREVER, locked

PIXELS_FILE, INDEX_FILE, ROOT_FILE = "pixels.u8", "index.tsv", "root.txt"
CHUNK = 64  # images between two syncs
STAMP_DIGITS = 32  # of a hash
CHECKERS = 4  # threads that compare rows with their checksums
RESERVE_BYTES = 256 << 20  # of disk that a cache leaves free
OnImages = Callable[[int, int], None]  # (done, of how many)


class Row(NamedTuple):
    """A row of the cache: its number, and what it was made from."""

    number: int
    crc: int
    stamp: str  # what the image's file was


class CachedRows:
    """Rows of ``samples`` in a cache, memory-mapped."""

    def __init__(self, cache: PixelCache, samples: Sequence[Sample]) -> None:
        index = cache.index()
        self._numbers = np.array([index[cache.key(sample)].number for sample in samples])
        self._pixels = cache.pixels()

    def __len__(self) -> int:
        return len(self._numbers)

    def rows(self, indices: Sequence[int]) -> Pixels:
        """Return uint8 (B, size, size, 3), RGB."""
        return np.asarray(self._pixels[self._numbers[np.asarray(indices)]])


class _Decoder:
    """Decodes images; one that cannot be read spoils none of the others."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.rows = DecodedRows(samples, size)

    def __call__(self, indices: Sequence[int]) -> tuple[Pixels, list[int], list[str]]:
        """Return the pixels of those that can be read, which these are, and what is wrong with the others."""
        size, problems = self.rows.size, []
        whole: list[int] = []
        found = [np.empty((0, size, size, 3), np.uint8)]
        for _, group in groupby(indices, key=lambda index: self.rows.samples[index].image):
            of_image = list(group)  # several where it is cut into tiles
            try:
                found.append(self.rows.rows(of_image))
            except InputError as error:
                problems.append(str(error))
            else:
                whole += of_image
        return np.concatenate(found), whole, problems


class PixelCache:
    """The cache of the images below ``root`` at ``size`` pixels, in a folder of its own below ``home``."""

    def __init__(self, home: Path, root: Path, size: int) -> None:
        self.root, self.size = root.resolve(), size
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        self.directory = home / f"{name}-{size}-v{PIPELINE_VERSION}"
        self.row_bytes = size * size * 3
        self._folders: dict[Path, str] = {}  # relative to the root, as images of one folder share it

    def key(self, sample: Sample) -> str:
        """Return the name of an image in the index: its path relative to the root, and of a tile its place."""
        folder = sample.image.parent
        if folder not in self._folders:
            self._folders[folder] = os.path.relpath(folder.resolve(), self.root)
        tile = (
            "" if sample.box is None else "//{},{},{},{}".format(*sample.box)
        )  # no such path has two slashes
        return f"{self._folders[folder]}/{sample.image.name}{tile}".replace("\n", "%0A")

    def index(self) -> dict[str, Row]:
        """Read which images there are; a last line cut short, or a row without pixels, counts for nothing.

        Raises:
            InputError: it is not such an index.
        """
        path = self.directory / INDEX_FILE
        if not path.is_file():
            return {}
        found = {}
        lines = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
        try:
            for number, line in enumerate(lines[: self._stored()]):
                crc, stamp, key = line.split("\t", 2)
                found[key] = Row(number, int(crc, 16), stamp)
        except ValueError:
            raise InputError(f"{path} is damaged: delete {self.directory}, it is made again") from None
        return found

    def pixels(self) -> Pixels:
        """Map all rows into memory."""
        shape = (self._stored(), self.size, self.size, 3)
        if not shape[0]:  # no file, or an empty one, which cannot be mapped
            return np.empty(shape, np.uint8)
        return np.memmap(self.directory / PIXELS_FILE, np.uint8, "r", shape=shape)

    def missing(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return those of ``samples`` that have no row, or whose file changed since; each image once."""
        index = self.index()
        wanted = {self.key(sample): sample for sample in samples}
        return [
            sample for key, sample in wanted.items() if key not in index or index[key].stamp != _stamp(sample)
        ]

    def needed_bytes(self, samples: Sequence[Sample]) -> int:
        """Return how much the cache would grow by ``samples``."""
        return len(self.missing(samples)) * self.row_bytes

    def fill(self, samples: Sequence[Sample], workers: int, on_images: OnImages | None = None) -> int:
        """Add what is missing of ``samples``, or differs from its checksum; return how many images were decoded.

        Interrupted, it goes on at the next call.

        Raises:
            ResourceError: the disk has no room for it.
            InputError: images that cannot be read, all of them; the others are there.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._locked(), naming(self.directory):
            missing = self.missing(samples)
            missing += self._damaged_rows(samples, missing)
            self._check_room(len(missing) * self.row_bytes)
            (self.directory / ROOT_FILE).write_text(f"{self.root}\n", "utf-8", "surrogateescape")
            self._append(missing, workers, on_images or (lambda done, total: None))
            return len(missing)

    def damaged(self, samples: Sequence[Sample], redecoded: int = 100) -> list[str]:
        """Return which of ``samples`` have no row, or one that differs from its checksum, or, of ``redecoded``
        spread over them, from their image decoded anew."""
        index, pixels = self.index(), self.pixels()
        step = max(1, len(samples) // max(redecoded, 1))
        wrong = []
        for position, sample in enumerate(samples):
            row = index.get(self.key(sample))
            again = position % step == 0 and redecoded > 0
            if row is None or not self._is_sound(
                np.ascontiguousarray(pixels[row.number]), row, sample, again
            ):
                wrong.append(sample.id)
        return wrong

    def _damaged_rows(self, samples: Sequence[Sample], missing: Sequence[Sample]) -> list[Sample]:
        """Return which of ``samples``, those ``missing`` left out, have a row that differs from its checksum."""
        index, pixels = self.index(), self.pixels()
        there = {self.key(sample): sample for sample in samples}
        for sample in missing:
            del there[self.key(sample)]

        def is_sound(key: str) -> bool:
            row = index[key]
            return zlib.crc32(np.ascontiguousarray(pixels[row.number]).data) == row.crc

        with ThreadPoolExecutor(CHECKERS) as pool:  # zlib lets other threads run meanwhile
            sound = list(pool.map(is_sound, there))
        return [sample for sample, fine in zip(there.values(), sound, strict=True) if not fine]

    def forget(self) -> bool:
        """Delete the cache; say whether there was one."""
        try:
            shutil.rmtree(self.directory)
        except FileNotFoundError:
            return False
        return True

    def _is_sound(self, pixels: Pixels, row: Row, sample: Sample, again: bool) -> bool:
        if zlib.crc32(pixels.data) != row.crc:
            return False
        return not again or np.array_equal(DecodedRows([sample], self.size).rows([0])[0], pixels)

    def _append(self, missing: Sequence[Sample], workers: int, on_images: OnImages) -> None:
        start = self._cut_to_whole()
        order = [range(at, min(at + CHUNK, len(missing))) for at in range(0, len(missing), CHUNK)]
        problems: list[str] = []
        with (
            (self.directory / PIXELS_FILE).open("r+b") as pixels,
            (self.directory / INDEX_FILE).open("ab") as index,
        ):
            pixels.seek(start * self.row_bytes)
            decoded = loaded(_Decoder(missing, self.size), order, workers)
            for chunk, (rows, whole, bad) in zip(order, decoded, strict=True):
                problems += bad
                pixels.write(rows.data)
                _sync(pixels.fileno(), pixels.flush)
                for number, row in zip(whole, rows, strict=True):
                    sample = missing[number]
                    line = f"{zlib.crc32(row.data):08x}\t{_stamp(sample)}\t{self.key(sample)}\n"
                    index.write(line.encode("utf-8", "surrogateescape"))
                _sync(index.fileno(), index.flush)
                on_images(chunk.stop, len(missing))
        refuse(self.root, problems)

    def _cut_to_whole(self) -> int:
        """Drop lines without pixels and pixels without lines, which a killed process or a full disk left; return
        the number of rows."""
        path = self.directory / INDEX_FILE
        lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
        whole = lines[: self._stored()]
        with path.open("ab") as index:
            index.truncate(sum(len(line) + 1 for line in whole))
        with (self.directory / PIXELS_FILE).open("ab") as pixels:
            pixels.truncate(len(whole) * self.row_bytes)
        return len(whole)

    def _stored(self) -> int:
        """Return of how many rows there are pixels."""
        path = self.directory / PIXELS_FILE
        return path.stat().st_size // self.row_bytes if path.is_file() else 0

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.directory).free
        if needed and needed + RESERVE_BYTES > free:
            raise ResourceError(
                f"the pixel cache needs {needed / 1e9:.1f} GB more in {self.directory}, where {free / 1e9:.1f} GB "
                "are free: give --cache DIR on a larger disk, or --no-cache"
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Wait until no other process writes to this cache."""
        waiting = f"waiting for another process that fills the pixel cache {self.directory}"
        busy = f"{self.directory} is being filled by another process"
        with locked(self.directory / "lock", busy=busy, patience_s=FOREVER, waiting=waiting):
            yield


def cache_of(dataset: Path, samples: Sequence[Sample], size: int, home: Path) -> PixelCache:
    """Return the cache of the images of ``dataset``, whichever of them ``samples`` are.

    Images that lie elsewhere, as COCO-AD's do, have that of the folder which holds them all.
    """
    if not samples:
        raise InputError("a dataset without images needs no pixel cache")
    root = dataset.resolve()
    folders = {folder.resolve() for folder in {sample.image.parent for sample in samples}}
    if not all(folder.is_relative_to(root) for folder in folders):
        root = Path(os.path.commonpath(folders))
    return PixelCache(home, root, size)


def _stamp(sample: Sample) -> str:
    bits = f".{sample.bits}" if sample.bits else ""
    if sample.sha256:
        return f"{sample.sha256[:STAMP_DIGITS]}{bits}"
    try:
        found = sample.image.stat()
    except OSError:
        return ""  # of no row: it is said when it is to be decoded, with all others that cannot be
    return f"{found.st_size}.{found.st_mtime_ns}{bits}"


def _sync(descriptor: int, flush: Callable[[], None]) -> None:
    flush()
    os.fdatasync(descriptor)
