"""Anomaly maps as files made by anybody's code: which file is whose, and reading one without trusting it.

Formats: ``.npy``; ``.npz`` with one array or one named ``map``; one-channel ``.tif``, ``.tiff`` and ``.png``
of 8 or 16 bits (TIFF also float). Sizes are read from headers and checked before anything is allocated.
"""

from __future__ import annotations

import warnings
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from benchmark.datasets.images import SUFFIXES as IMAGE_SUFFIXES
from benchmark.runs.arrays import Shape, read_npy, read_npz_member
from cocoad.base.console import one_line

SUFFIXES = (".npy", ".npz", ".tif", ".tiff", ".png")
MAX_SIDE = 16_384  # pixels
MAX_PIXELS = 64_000_000
GRAY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")

Kind = Literal["missing", "extra", "ambiguous", "unreadable", "wrong size", "not finite"]


@dataclass(frozen=True)
class MapProblem:
    """One thing that is wrong with a folder of maps: ``what`` is an image id or a file."""

    kind: Kind
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" + (f" ({self.detail})" if self.detail else "")


class MapError(Exception):
    """A map cannot be used: its kind of problem and why."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind: Kind = kind


def match_maps(folder: Path, ids: Sequence[str]) -> tuple[dict[str, Path], list[MapProblem]]:
    """Find the map of every image.

    A map is named by its image's id or by any end of it, with or without the image's own suffix: for the id
    ``val2017/000000000139`` that is ``000000000139.npy``, ``val2017/000000000139.png`` or
    ``000000000139.jpg.npy``, in any subfolder that does not contradict the id.

    Returns:
        The file of each id that has exactly one, and the problems (missing, ambiguous, extra), sorted.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    by_name: dict[str, list[tuple[tuple[str, ...], Path]]] = defaultdict(list)
    for file in files:
        parts = _parts(file.relative_to(folder).with_suffix("").as_posix())
        by_name[parts[-1]].append((parts, file))
    wanted = {identity: _parts(identity) for identity in ids}
    claims: dict[Path, list[str]] = defaultdict(list)
    candidates: dict[str, list[Path]] = {}
    for identity, parts in wanted.items():
        found = [file for other, file in by_name.get(parts[-1], []) if _one_ends_the_other(parts, other)]
        exact = [file for other, file in by_name.get(parts[-1], []) if other == parts]
        candidates[identity] = exact or found
        for file in candidates[identity]:
            claims[file].append(identity)
    problems = [MapProblem("missing", identity) for identity, found in candidates.items() if not found]
    problems += [MapProblem("extra", str(file)) for file in files if file not in claims]
    matched: dict[str, Path] = {}
    for identity, found in candidates.items():
        if len(found) > 1:
            problems.append(MapProblem("ambiguous", identity, f"{found[0]} and {found[1]}"))
        elif found and len(claims[found[0]]) > 1:
            others = [other for other in claims[found[0]] if other != identity]
            problems.append(MapProblem("ambiguous", identity, f"{found[0]} could also be of {others[0]}"))
        elif found:
            matched[identity] = found[0]
    return matched, sorted(problems, key=lambda problem: (problem.kind, problem.what))


def _parts(name: str) -> tuple[str, ...]:
    """Return the components of an id or a map's path, without an image's own suffix."""
    path = PurePosixPath(name)
    return (path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path).parts


def _one_ends_the_other(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    short, long = sorted((one, other), key=len)
    return long[-len(short) :] == short


def read_map(path: Path, size: int) -> npt.NDArray[np.float32]:
    """Read a map and resize it bilinearly (half-pixel centres, no antialiasing) to float32 (size, size).

    Raises:
        MapError: it cannot be read, is not one channel of a sane size, or holds NaN or infinity.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                array = read_npy(stream, path.stat().st_size, _check)
        elif path.suffix.lower() == ".npz":
            array = _read_npz(path)
        else:
            array = _read_image(path)
    except MapError:
        raise
    except Exception as error:  # decoders raise whatever they like on malformed files
        raise MapError("unreadable", one_line(str(error)) or type(error).__name__) from None
    with np.errstate(over="ignore"):
        values: npt.NDArray[np.float32] = array.reshape(_plane(array.shape)).astype(np.float32)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise MapError(
            "not finite", f"{bad} of {values.size} pixels are NaN, infinite or too large for float32"
        )
    if values.shape != (size, size):
        return cv2.resize(values, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return values


def _plane(shape: Shape) -> tuple[int, int]:
    """Return height and width of a one-channel array, (H, W) with leading or trailing dimensions of 1."""
    plane = shape
    while len(plane) > 2 and plane[0] == 1:
        plane = plane[1:]
    while len(plane) > 2 and plane[-1] == 1:
        plane = plane[:-1]
    if len(plane) != 2:
        raise MapError("wrong size", f"shape {shape}: expected one channel, (height, width)")
    height, width = plane
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise MapError("wrong size", f"{height}×{width}: at most {MAX_SIDE} a side and {MAX_PIXELS:,} pixels")
    return height, width


def _check(shape: Shape) -> None:
    _plane(shape)


def _read_npz(path: Path) -> npt.NDArray[np.generic]:
    with zipfile.ZipFile(path) as archive:
        names = [name[: -len(".npy")] for name in archive.namelist() if name.endswith(".npy")]
    if "map" not in names and len(names) != 1:
        raise MapError("unreadable", f"{len(names)} arrays: expected one, or one named map")
    return read_npz_member(path, "map" if "map" in names else names[0], _check)


def _read_image(path: Path) -> npt.NDArray[np.generic]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow finds odd but can read
        image = Image.open(path, formats=("PNG", "TIFF"))
    with image:
        _check((image.height, image.width))
        if image.mode not in GRAY_MODES:
            raise MapError("wrong size", f"colour mode {image.mode}: expected one channel of numbers")
        if getattr(image, "n_frames", 1) > 1:
            raise MapError("wrong size", f"{getattr(image, 'n_frames', 1)} pages: expected one")
        return np.asarray(image)
