"""Predicting on files: images in; scores, raw maps and heatmaps out."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.datasets.images import SUFFIXES, resized
from benchmark.inference.trained import Pixels, Prediction, TrainedModel
from cocoad.base.errors import InputError
from cocoad.base.files import json_bytes, write_atomic

JSON_FILE = "predictions.json"
MAP_SUFFIX, OVERLAY_SUFFIX = ".npy", ".png"
LONGEST_NAME = 255  # bytes that file systems take
HEAT = 0.7  # share of the colour where a map is highest


@dataclass(frozen=True)
class Outcome:
    """One entry of ``predictions.json``; ``map`` and ``overlay`` are relative to its folder."""

    image: str
    score: float
    map: str
    overlay: str


def find_images(sources: Sequence[str], out: Path) -> list[Path]:
    """Return the image files of ``sources``: files, folders and globs; each once, in order.

    What lies below ``out`` is an earlier call's and left out, but of a source that lies there as a whole.

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
            files = sorted(file for file in _glob(path) if _is_image(file))
        if not path.resolve().is_relative_to(out.resolve()):
            files = [file for file in files if not file.resolve().is_relative_to(out.resolve())]
        if not files:
            raise InputError(f"no images at {source!r}: give image files, a folder or a quoted glob")
        found.update(dict.fromkeys(files))
    return list(found)


def predict_files(
    model: TrainedModel,
    files: Sequence[Path],
    out: Path,
    batch_size: int = 8,
    advance: Callable[[int], object] = lambda count: None,
) -> tuple[list[Outcome], list[str]]:
    """Predict on image files; write ``predictions.json``, raw maps and heatmap overlays into ``out``.

    Raw maps are float32 ``.npy`` (S, S). Overlays have the image's size and one colour scale: from the lowest
    to the highest value of all maps of this call, which ``predictions.json`` states.

    Args:
        model: from ``load_run``.
        files: images.
        out: folder, made if need be.
        batch_size: images in one pass.
        advance: called with the number of images done since the last call.

    Returns:
        The outcomes, and a line for each file that could not be read (the others are predicted).

    Raises:
        InputError: a file would be overwritten by what is written for one; nothing is.
    """
    unreadable: list[str] = []
    outcomes: list[Outcome] = []
    low, high = np.inf, -np.inf
    names = output_names(files)
    _refuse_overwriting(files, out, names.values())
    for batch in _batches(model, files, unreadable, batch_size):
        for file, prediction in batch:
            stem = names[file]
            low, high = min(low, float(prediction.map.min())), max(high, float(prediction.map.max()))
            outcome = Outcome(str(file), prediction.score, stem + MAP_SUFFIX, stem + OVERLAY_SUFFIX)
            write_atomic(out / outcome.map, _npy(prediction.map))
            outcomes.append(outcome)
        advance(len(batch))
    for outcome in outcomes:  # a second pass: only now is the common scale known
        heat = np.load(out / outcome.map)
        picture = overlay(model.read(outcome.image), (heat - low) / max(high - low, 1e-12))
        write_atomic(out / outcome.overlay, picture)
    document = {
        "format": "cocoad-predictions",
        "format_version": 1,
        "method": model.name,
        "image_size": model.image_size,
        "overlay_scale": [low, high] if outcomes else None,
        "predictions": [asdict(outcome) for outcome in outcomes],
        "unreadable": unreadable,
    }
    write_atomic(out / JSON_FILE, json_bytes(document))
    return outcomes, unreadable


def overlay(image: Image.Image, heat: npt.NDArray[np.floating]) -> bytes:
    """Return a PNG of ``image`` under ``heat``: (S, S) in [0, 1], resized to the image."""
    pixels = np.asarray(image, dtype=np.float32)
    height, width = pixels.shape[:2]
    spread = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap((255 * spread).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = HEAT * spread[..., None]
    blended = (pixels * (1 - share) + colours * share).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blended).save(buffer, "PNG")
    return buffer.getvalue()


def output_names(files: Sequence[Path]) -> dict[Path, str]:
    """Return for each file the path, without suffix, of what is written for it: unique, inside the folder.

    Files keep their folders below the deepest folder that they share; equal names get ``-2``, ``-3`` …
    """
    absolute = [Path(os.path.normpath(file.absolute())) for file in files]  # no .. left to climb out by
    shared = _shared_folder(absolute)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file, whole in zip(files, absolute, strict=True):
        stem = PurePosixPath(*whole.relative_to(shared).with_suffix("").parts).as_posix()
        name, count = _fitting(stem), 1
        while name in taken:
            count += 1
            name = _fitting(stem, f"-{count}")
        taken.add(name)
        names[file] = name
    return names


def _fitting(stem: str, ending: str = "") -> str:
    """Return ``stem`` and ``ending``, cut between them as far as a name with a suffix would be too long."""
    folder, slash, name = stem.rpartition("/")
    while len(os.fsencode(f"{name}{ending}{MAP_SUFFIX}")) > LONGEST_NAME:
        name = name[:-1]
    return f"{folder}{slash}{name}{ending}"


def _refuse_overwriting(files: Sequence[Path], out: Path, names: Iterable[str]) -> None:
    given = {file.resolve() for file in files}
    written = (out / f"{name}{suffix}" for name in names for suffix in (MAP_SUFFIX, OVERLAY_SUFFIX))
    for path in (out / JSON_FILE, *written):
        if path.resolve() in given:
            raise InputError(f"{path} is to be read and would be overwritten: give another --out")


def _shared_folder(files: Sequence[Path]) -> Path:
    folder = files[0].parent
    while not all(file.is_relative_to(folder) for file in files):
        folder = folder.parent
    return folder


def _glob(pattern: Path) -> Iterator[Path]:
    anchor = Path(pattern.anchor)
    try:
        yield from anchor.glob(str(pattern.relative_to(anchor)))
    except ValueError:  # no pattern at all, such as a**
        return


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _batches(
    model: TrainedModel, files: Sequence[Path], unreadable: list[str], batch_size: int
) -> Iterator[list[tuple[Path, Prediction]]]:
    """Yield predicted batches; a file that cannot be read adds a line to ``unreadable``."""
    for start in range(0, len(files), batch_size):
        read: list[tuple[Path, Pixels]] = []
        for file in files[start : start + batch_size]:
            try:
                read.append((file, resized(model.read(file), model.image_size)))
            except InputError as error:
                unreadable.append(str(error))
        if read:
            predictions = model.predict_batch([pixels for _, pixels in read])
            yield [(file, one) for (file, _), one in zip(read, predictions, strict=True)]


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
