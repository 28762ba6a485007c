"""What a scored run leaves beside its record, for whoever makes runs: scores, curves and previews.

``bench run`` and ``bench score`` write these files; ``bench compare``, ``bench report`` and other programs
read them. All arrays are in the order of ``scores.csv``. Nothing here needs torch.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmark.runs.arrays import Shape, read_npz_member
from benchmark.runs.files import check_file
from benchmark.runs.record import CURVES_FILE, PREVIEWS_FILE, SCORES_FILE
from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes, open_atomic, write_atomic

PREVIEW_SIZE = 64  # pixels, square
CURVE_POINTS = 1000  # of a curve at most
FEWEST_POINTS = 50
MOST_POINTS = 400_000  # of all curves of a run: with hundreds of classes each curve has fewer
HALF_STEP = 1e-3  # of a map's range: float16 must not be coarser
MOST_IMAGES = 100_000  # previews that are read at most, of a file without scores beside it: 1.6 GB
SCORES_HEADER = ("id", "image", "class", "label", "score", "groups")

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ImageScore:
    """One row of ``scores.csv``: ``label`` is the dataset's own (0 normal, 1 anomalous), ``image`` a path."""

    id: str
    image: str
    class_name: str
    label: int
    score: float
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Previews:
    """Small versions of all maps (float32, N×64×64, in the maps' own units) and masks (bool, N×64×64)."""

    maps: FloatArray
    masks: BoolArray


def write_scores(directory: Path, scores: Sequence[ImageScore], name: str = SCORES_FILE) -> None:
    """Write ``directory/NAME``; a score is written so that reading it gives the same float."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(SCORES_HEADER)
    for row in scores:
        groups = ";".join(row.groups)
        writer.writerow((row.id, row.image, row.class_name, row.label, repr(float(row.score)), groups))
    write_atomic(directory / name, buffer.getvalue().encode())


def read_scores(directory: Path, name: str = SCORES_FILE) -> list[ImageScore]:
    """Read ``directory/scores.csv``, or ``calibration.csv``.

    Raises:
        InputError: it is absent or not such a table.
    """
    path = directory / name
    if not path.is_file():
        raise InputError(f"{directory} has no {name}: it is not the directory of a finished run")
    check_file(directory, name)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream, strict=True)
            if not set(SCORES_HEADER) <= set(table.fieldnames or ()):
                raise ValueError(f"its columns are {', '.join(table.fieldnames or ['none'])}")
            return [_score_from(row) for row in table]
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{path}: not a table of {', '.join(SCORES_HEADER)}: {error}") from None


def _score_from(row: dict[str, str]) -> ImageScore:
    label = int(row["label"])
    if label not in (0, 1):
        raise ValueError(f"label {label} of {row['id']}")
    groups = tuple(group for group in row["groups"].split(";") if group)
    return ImageScore(row["id"], row["image"], row["class"], label, float(row["score"]), groups)


def shrink(images: npt.NDArray[Any]) -> FloatArray:
    """Return area means of maps or masks (B, H, W) as float32 (B, 64, 64)."""
    size = (PREVIEW_SIZE, PREVIEW_SIZE)
    small = np.empty((len(images), *size), np.float32)
    for image, place in zip(images, small, strict=True):
        cv2.resize(image.astype(np.float32), size, dst=place, interpolation=cv2.INTER_AREA)
    return small


def write_previews(directory: Path, maps: FloatArray, masks: npt.NDArray[Any]) -> None:
    """Write ``directory/previews.npz`` from :func:`shrink`'s means of maps and masks, both (N, 64, 64).

    Maps are kept as float16 of ``(map - offset) / scale``, so that neither large nor tiny scores are lost; a
    mask's cell is anomalous when more than half of it is. Masks are packed to bits.
    """
    offset = float(maps.min()) if maps.size else 0.0
    scale = (float(maps.max()) - offset if maps.size else 1.0) or 1.0
    with open_atomic(directory / PREVIEWS_FILE) as temporary:
        np.savez_compressed(
            temporary,
            maps=((maps - np.float32(offset)) / np.float32(scale)).astype(np.float16),
            offset=np.float64(offset),
            scale=np.float64(scale),
            masks=np.packbits(masks > 0.5, axis=2),
        )


def read_previews(directory: Path) -> Previews:
    """Read ``directory/previews.npz``.

    Raises:
        InputError: it is absent or not such an archive.
    """
    path = directory / PREVIEWS_FILE
    if not path.is_file():
        raise InputError(f"{directory} has no {PREVIEWS_FILE}: run or score it again to get one")
    check_file(directory, PREVIEWS_FILE)
    most = _images_of(directory)

    def check(shape: Shape) -> None:
        if len(shape) != 3 or shape[0] > most or max(shape[1:]) > PREVIEW_SIZE:
            raise ValueError(
                f"shape {shape}: expected (N, 64, 64) maps and (N, 64, 8) masks of at most {most:,} images"
            )

    try:
        small = read_npz_member(path, "maps", check)
        packed = read_npz_member(path, "masks", check)
        scale, offset = (float(read_npz_member(path, name, _check_scalar)) for name in ("scale", "offset"))
        maps = small.astype(np.float32) * np.float32(scale) + np.float32(offset)
        masks = np.unpackbits(packed.astype(np.uint8), axis=2).astype(bool)
        if not maps.shape == masks.shape == (len(maps), PREVIEW_SIZE, PREVIEW_SIZE):
            raise ValueError(f"maps {maps.shape} and masks {masks.shape} are not both (N, 64, 64)")
        if not np.isfinite(maps).all():
            raise ValueError("a map holds NaN or an infinity")
    except (OSError, ValueError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not an archive of previews: {error}") from None
    return Previews(maps, masks)


def _images_of(directory: Path) -> int:
    """Return how many images a run can have previews of: no more than its table of scores has lines."""
    path = directory / SCORES_FILE
    if not path.is_file():
        return MOST_IMAGES
    with path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))


def _check_scalar(shape: Shape) -> None:
    if shape != ():
        raise ValueError(f"shape {shape}: expected a number")


def write_map(folder: Path, ident: str, values: FloatArray) -> None:
    """Write an image's whole map (H, W) to ``folder/IDENT.npz``: in float16 if its range has 1,000 steps there."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float16 the step is NaN
        step = np.spacing(np.abs(values).max(initial=0).astype(np.float16))
    kind = np.float16 if values.size and step <= HALF_STEP * np.ptp(values) else np.float32
    path = folder / f"{ident}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, map=values.astype(kind))


def write_curves(directory: Path, curves: Mapping[str, Any]) -> None:
    """Write ``directory/curves.json``: the mapping as given, its arrays thinned to at most 1,000 points.

    Where there are so many curves (of classes) that all would have more than 400,000, each has fewer, at least 50.
    """
    number = sum(len(of_kind) for of_kind in curves.values() if isinstance(of_kind, Mapping))
    points = max(FEWEST_POINTS, min(CURVE_POINTS, MOST_POINTS // max(number, 1)))
    write_atomic(directory / CURVES_FILE, json_bytes(_plain(curves, points)))


def read_curves(directory: Path) -> dict[str, Any]:
    """Read ``directory/curves.json``.

    Raises:
        InputError: it is absent or not JSON.
    """
    path = directory / CURVES_FILE
    if path.is_file():
        check_file(directory, CURVES_FILE)
    try:
        curves = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{directory} has no {CURVES_FILE}: it is not the directory of a finished run"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(curves, dict):
        raise InputError(f"{path}: not an object of curves")
    return curves


def _plain(value: Any, points: int) -> Any:
    """Return JSON values: sequences become lists of at most ``points`` items (with both ends)."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, points) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        chosen = range(len(value))
        if len(value) > points:
            chosen = np.linspace(0, len(value) - 1, points).round().astype(int).tolist()
        return [_plain(value[index], points) for index in chosen]
    if isinstance(value, float | np.floating):
        return _number(float(value))
    return value.item() if isinstance(value, np.generic) else value


def _number(value: float) -> float | None:
    return float(f"{value:.7g}") if np.isfinite(value) else None
