"""A batch of maps and masks, checked: what the evaluator accepts, in one form."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.metrics.keys import BoolArray, FloatArray
from cocoad.base.errors import InputError


@dataclass(frozen=True)
class Batch:
    """B images. ``scores`` (B, H·W): a NumPy array, or a torch tensor on a GPU; ``masks`` (B, H, W)."""

    scores: Any
    masks: BoolArray
    labels: BoolArray
    image_scores: FloatArray
    minima: FloatArray
    maxima: FloatArray
    classes: Sequence[str]
    groups: Sequence[tuple[str, ...]]

    def take(self, places: Sequence[npt.NDArray[np.intp]]) -> list[npt.NDArray[Any]]:
        """Return, for each image, the scores of its pixels at the flat indices given for it.

        From a GPU they come in one piece: each transfer makes it wait.
        """
        if isinstance(self.scores, np.ndarray):
            return [row[where] for row, where in zip(self.scores, places, strict=True)]
        torch, pixels = sys.modules["torch"], self.scores.shape[1]
        flat = np.concatenate([where + image * pixels for image, where in enumerate(places)])
        taken = self.scores.reshape(-1)[torch.from_numpy(flat).to(self.scores.device)].cpu().numpy()
        return np.split(taken, np.cumsum([where.size for where in places])[:-1])

    def only(self, images: npt.NDArray[np.intp]) -> Batch:
        """Return the batch of some of the images."""
        chosen = images.tolist()
        return Batch(
            self.scores[chosen],
            self.masks[images],
            self.labels[images],
            self.image_scores[images],
            self.minima[images],
            self.maxima[images],
            [self.classes[image] for image in chosen],
            [self.groups[image] for image in chosen],
        )

    def on_cpu(self, image: int) -> npt.NDArray[Any]:
        """Return all scores of one image as a NumPy array (H·W,)."""
        row = self.scores[image]
        return row if isinstance(row, np.ndarray) else np.asarray(row.cpu().numpy())


def checked_batch(
    maps: Any,
    masks: Any,
    labels: Any = None,
    image_scores: Any = None,
    classes: Sequence[str] | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    keep_float64: bool = False,
) -> Batch:
    """Check one batch and bring it into one form; arguments as in ``Evaluator.update``.

    Raises:
        InputError: shapes that do not fit, scores that are no finite float32, masks or labels other than 0
            and 1, a text where a list of names must be.
    """
    scores, shape = _scores(maps, keep_float64)
    count = shape[0]
    binary = _binary(masks, "masks")
    if binary.shape != shape:
        raise InputError(f"masks have the shape {binary.shape}, maps {shape}: they must be the same")
    anomalous: BoolArray = np.asarray(binary.reshape(count, binary[0].size if count else 0).any(axis=1))
    own = anomalous if labels is None else _binary(labels, "labels")
    minima, maxima = _extremes(scores)
    if isinstance(classes, str) or any(isinstance(tag, str) for tag in groups or ()):
        raise InputError("classes are a list of names, groups a list of lists of names, not texts")
    names = [""] * count if classes is None else [str(name) for name in classes]
    tags = [()] * count if groups is None else [tuple(dict.fromkeys(map(str, tag))) for tag in groups]
    given = maxima if image_scores is None else _to_numpy(image_scores).astype(np.float64)
    for what, amount in (("labels", own.shape), ("image_scores", given.shape)):
        if amount != (count,):
            raise InputError(f"{what} have the shape {amount}, expected one for each of {count} maps")
    if len(names) != count or len(tags) != count:
        raise InputError(f"{len(names)} classes and {len(tags)} groups were given for {count} maps")
    if not np.isfinite(given).all():
        raise InputError("image_scores hold NaN or an infinity: every image needs a finite score")
    return Batch(scores, binary, own, given, minima, maxima, names, tags)


def _is_tensor(values: Any) -> bool:
    return "torch" in sys.modules and isinstance(values, sys.modules["torch"].Tensor)


def _to_numpy(values: Any) -> npt.NDArray[Any]:
    if not _is_tensor(values):
        return np.asarray(values)
    detached = values.detach()
    if detached.dtype == sys.modules["torch"].bfloat16:  # NumPy has none
        detached = detached.float()
    array: npt.NDArray[Any] = detached.cpu().numpy()
    return array


def _scores(maps: Any, keep_float64: bool) -> tuple[Any, tuple[int, ...]]:
    if _is_tensor(maps) and maps.device.type != "cpu" and not keep_float64:
        if not maps.is_floating_point():
            raise InputError(f"maps are {maps.dtype}: they must be floats")
        scores = maps.detach().float()
    else:
        scores = _to_numpy(maps)
        if scores.dtype.kind != "f":
            raise InputError(f"maps are {scores.dtype}: they must be floats")
        if not (keep_float64 and scores.dtype == np.float64):
            with np.errstate(over="ignore"):  # what overflows is refused as an infinity
                scores = np.ascontiguousarray(scores, np.float32)
    shape = tuple(scores.shape)
    if len(shape) != 3 or not (shape[1] and shape[2]):
        raise InputError(f"maps have the shape {shape}: expected (images, height, width)")
    return scores.reshape(shape[0], shape[1] * shape[2]), shape


def _binary(values: Any, what: str) -> BoolArray:
    array = np.ascontiguousarray(_to_numpy(values))
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iuf":
        raise InputError(f"{what} are {array.dtype}: they must be bool, or numbers 0 and 1")
    binary: BoolArray = array == 1
    if not (binary | (array == 0)).all():
        raise InputError(f"{what} hold other values than 0 and 1: binarise them first")
    return binary


def _extremes(scores: Any) -> tuple[FloatArray, FloatArray]:
    if not scores.shape[0]:
        return np.zeros(0), np.zeros(0)
    if isinstance(scores, np.ndarray):
        minima, maxima = scores.min(axis=1), scores.max(axis=1)
    else:
        minima, maxima = scores.amin(dim=1).cpu().numpy(), scores.amax(dim=1).cpu().numpy()
    largest = float(np.finfo(np.float32).max)
    fine = (np.abs(minima) <= largest) & (np.abs(maxima) <= largest)  # false for NaN too
    if not fine.all():
        image = int(np.flatnonzero(~fine)[0])
        raise InputError(
            f"map {image} of the batch holds NaN, an infinity or a number beyond float32's range"
        )
    return minima.astype(np.float64), maxima.astype(np.float64)
