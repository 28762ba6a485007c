"""Predicting on files: images in; scores, decisions, raw maps, heatmaps and masks out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.decision.regions import Region
from benchmark.inference.decide import Chosen, Decider, Decision
from benchmark.inference.model import Model, Prediction
from benchmark.inference.places import (
    CSV_FILE,
    JSON_FILE,
    MAP_SUFFIX,
    MASKS_DIR,
    PICTURE_SUFFIX,
    output_names,
    refuse_writing_among,
)
from benchmark.inference.sources import Item, batches, frames
from cocoad.base.files import json_bytes, write_atomic
from cocoad.dataset.masks import write_mask_png_gray

HEAT = 0.7  # share of the colour where a map is highest
CSV_HEADER = (
    "image", "frame", "time_s", "score", "anomalous", "p_value", "regions", "area", "x", "y", "width", "height",
    "map", "overlay", "mask",
)  # fmt: skip


class Outcome(msgspec.Struct, frozen=True):
    """One entry of ``predictions.json``; ``map``, ``overlay`` and ``mask`` are relative to its folder.

    ``area`` is how many pixels of the image lie above the pixel threshold; ``regions`` are their boxes.
    """

    image: str
    score: float
    map: str
    overlay: str
    mask: str | None = None
    frame: int | None = None  # of a video
    time_s: float | None = None  # from its start
    anomalous: bool | None = None
    p_value: float | None = None
    area: int | None = None
    regions: list[Region] = []

    @property
    def line(self) -> str:
        """Score, decision and place, for a terminal and for programs that read columns."""
        decided = {None: "", True: "anomalous\t", False: "normal\t"}[self.anomalous]
        at = "" if self.frame is None else f"\tframe {self.frame} at {self.time_s:.2f} s"
        return f"{self.score:.6f}\t{decided}{self.image}{at}"


@dataclass(frozen=True)
class Predicted:
    """All that was predicted: outcomes in the order of the files, and a line for each that could not be read."""

    outcomes: list[Outcome]
    unreadable: list[str]
    decider: Decider

    @property
    def summary(self) -> str:
        """Return one line for a person."""
        said = f"{len(self.outcomes)} images"
        if self.decider.image is not None:
            found = sum(bool(outcome.anomalous) for outcome in self.outcomes)
            said += f", {found} anomalous (above {self.decider.image.value:.6g}: {self.decider.image.said})"
        return said + (f", {len(self.unreadable)} could not be read" if self.unreadable else "")


def predict_files(
    model: Model,
    files: Sequence[Path],
    out: Path,
    batch_size: int = 8,
    advance: Callable[[int], object] = lambda count: None,
    *,
    decider: Decider | None = None,
    workers: int | None = None,
    every: int = 1,
) -> Predicted:
    """Predict on images and videos; write ``predictions.json`` and ``.csv``, maps, heatmaps and masks into ``out``.

    Raw maps are float32 ``.npy`` (S, S). Overlays and masks (PNG, 255 above the pixel threshold) have the image's
    size. Overlays have one colour scale: from the lowest to the highest value of all maps of this call, which
    ``predictions.json`` states.

    Args:
        model: from ``load_run`` or ``load_onnx``.
        files: images and videos.
        out: folder, made if need be.
        batch_size: images in one pass.
        advance: called with the number of files, or frames of a video, done since the last call.
        decider: of the model's; None: with its default thresholds.
        workers: processes that read images; None: by the cores.
        every: takes the first of so many frames of a video.

    Raises:
        InputError: a file would be overwritten by what is written for one, or something would be written into a
            folder of files that are read; nothing is.
    """
    decider = decider or model.decider()
    names = output_names(files)
    refuse_writing_among(files, out, names.values())
    unreadable: list[str] = []
    outcomes: list[Outcome] = []
    low, high = np.inf, -np.inf
    for batch in batches(model, files, unreadable, batch_size, workers, every):
        predictions = model.predict_seen([one.seen for one in batch])
        for one, prediction in zip(batch, predictions, strict=True):
            low, high = min(low, float(prediction.map.min())), max(high, float(prediction.map.max()))
            decision = decider.decide(prediction.score, prediction.map, one.size)
            outcomes.append(_written(one.item, _name(names, one.item), prediction, decision, out))
        advance(len(batch))
    _draw_overlays(model, outcomes, out, (low, high), every)
    write_atomic(out / CSV_FILE, _csv(outcomes))
    document = {
        "format": "cocoad-predictions",
        "format_version": 1,
        "method": model.name,
        "image_size": model.image_size,
        "overlay_scale": [low, high] if outcomes else None,
        "threshold": _threshold(decider.image),
        "pixel_threshold": _threshold(decider.pixel),
        "images": len(outcomes),
        "anomalous": sum(bool(each.anomalous) for each in outcomes) if decider.image else None,
        "predictions": msgspec.to_builtins(outcomes),
        "unreadable": unreadable,
    }
    write_atomic(out / JSON_FILE, json_bytes(document))
    return Predicted(outcomes, unreadable, decider)


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


def _name(names: dict[Path, str], item: Item) -> str:
    name = names[item.file]
    return name if item.frame is None else f"{name}/{item.frame:06d}"


def _written(item: Item, name: str, prediction: Prediction, decision: Decision, out: Path) -> Outcome:
    """Write an item's map and mask; return its entry."""
    write_atomic(out / f"{name}{MAP_SUFFIX}", _npy(prediction.map))
    mask = None
    if decision.mask is not None:
        mask = f"{MASKS_DIR}/{name}{PICTURE_SUFFIX}"
        (out / mask).parent.mkdir(parents=True, exist_ok=True)
        write_mask_png_gray(out / mask, decision.mask.astype(np.uint8))
    return Outcome(
        image=str(item.file),
        score=prediction.score,
        map=f"{name}{MAP_SUFFIX}",
        overlay=f"{name}{PICTURE_SUFFIX}",
        mask=mask,
        frame=item.frame,
        time_s=item.time_s,
        anomalous=decision.anomalous,
        p_value=decision.p_value,
        area=None if decision.mask is None else int(decision.mask.sum()),
        regions=decision.regions,
    )


def _draw_overlays(
    model: Model, outcomes: Sequence[Outcome], out: Path, scale: tuple[float, float], every: int
) -> None:
    """Draw the heatmaps in a second pass, for only now is the common scale known."""
    low, high = scale

    def draw(outcome: Outcome, image: Image.Image) -> None:
        heat = np.load(out / outcome.map)
        write_atomic(out / outcome.overlay, overlay(image, (heat - low) / max(high - low, 1e-12)))

    of_frames = {(each.image, each.frame): each for each in outcomes if each.frame is not None}
    for outcome in outcomes:
        if outcome.frame is None:
            draw(outcome, model.read(outcome.image))
    for video in dict.fromkeys(image for image, _ in of_frames):
        for item, image in frames(Path(video), [], every):
            if item.frame is not None:
                draw(of_frames[video, item.frame], image)


def _threshold(chosen: Chosen | None) -> dict[str, Any] | None:
    return None if chosen is None else {"value": chosen.value, "from": chosen.said}


def _csv(outcomes: Sequence[Outcome]) -> bytes:
    """Return the table of all outcomes: of the regions their number, and the box of the one with the highest peak."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for each in outcomes:
        box = each.regions[0] if each.regions else None
        anomalous = "" if each.anomalous is None else int(each.anomalous)
        sides = ("", "", "", "") if box is None else (box.x, box.y, box.width, box.height)
        regions = None if each.mask is None else len(each.regions)
        writer.writerow(
            (each.image, each.frame, each.time_s, repr(each.score), anomalous, each.p_value, regions, each.area,
             *sides, each.map, each.overlay, each.mask)
        )  # fmt: skip
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
