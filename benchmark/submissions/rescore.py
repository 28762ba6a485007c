"""The metrics of a split, computed from its packed maps and the ground truth alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmark.metrics import Evaluation, Evaluator, undefined_said
from benchmark.metrics.curves import Curves
from benchmark.runs.outputs import ImageScore, Previews, shrink
from benchmark.runs.record import ByProtocol
from benchmark.submissions.atlas import ImageTable
from benchmark.submissions.codec import Codec, FloatArray, GridArray, decoded
from benchmark.submissions.truth import Truth

BATCH = 32

ReadMaps = Callable[[slice], FloatArray]  # some images' maps (B, S, S)


@dataclass(frozen=True)
class Rescored:
    """What follows from maps and scores; images ascending by id."""

    evaluation: Evaluation
    curves: Curves
    scores: list[ImageScore]
    previews: Previews

    @property
    def metrics(self) -> ByProtocol:
        """The metrics by protocol; None where undefined."""
        found: ByProtocol = self.evaluation.recorded()["metrics"]
        return found


def packed_maps(grids: GridArray, codec: Codec, table: ImageTable, size: int) -> ReadMaps:
    """Return what decodes some of a split's maps at ``size`` pixels."""
    return lambda places: decoded(grids[places], codec, table.minima[places], table.maxima[places], size)


def rescored(truth: Truth, read: ReadMaps, scores: FloatArray | None = None) -> Rescored:
    """Score a test set's maps, in the order of the ground truth and in batches of a fixed size.

    Args:
        truth: the images and masks.
        read: gives maps (B, S, S).
        scores: of the images (N,); None: the maps' maxima.
    """
    evaluator = Evaluator()
    rows: list[ImageScore] = []
    small: list[FloatArray] = []
    small_masks: list[npt.NDArray[np.bool_]] = []
    for places in batches(len(truth.images)):
        maps, masks, images = read(places), truth.masks(places), truth.images[places]
        image_scores = maps.max(axis=(1, 2)) if scores is None else scores[places]
        evaluator.update(
            maps,
            masks,
            labels=np.array([image.label for image in images]),
            image_scores=image_scores,
            classes=[image.class_name for image in images],
            groups=[image.groups for image in images],
        )
        small.append(shrink(maps))
        small_masks.append(shrink(masks) > 0.5)
        rows += [
            ImageScore(image.id, image.id, image.class_name, image.label, float(score), image.groups)
            for image, score in zip(images, image_scores, strict=True)
        ]
    with undefined_said(lambda text: None):  # it is in the evaluation
        evaluation = evaluator.compute()
    previews = Previews(np.concatenate(small), np.concatenate(small_masks))
    return Rescored(evaluation, evaluator.curves(), rows, previews)


def batches(count: int) -> Iterator[slice]:
    """Yield the places of ``count`` images, 32 at a time."""
    for start in range(0, count, BATCH):
        yield slice(start, min(start + BATCH, count))


def furthest(ours: ByProtocol, theirs: ByProtocol) -> tuple[float, str]:
    """Return by how much two sets of metrics differ at most, as a fraction, and where ("protocol/metric").

    A metric that only one of them has, or that only one defines, is infinitely far.
    """
    found = (0.0, "")
    for protocol in sorted({*ours, *theirs}):
        one, other = ours.get(protocol, {}), theirs.get(protocol, {})
        for name in sorted({*one, *other}):
            both = name in one and name in other
            distance = _distance(one[name], other[name]) if both else float("inf")
            found = max(found, (distance, f"{protocol}/{name}"))
    return found


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    distance = abs(one - other)
    return distance if distance == distance else float("inf")
